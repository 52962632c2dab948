// The log of a run. However long it is, a window of it is here: what is before and behind comes as it is scrolled to.
import { shown } from "./ansi.js";
import { tell } from "./page.js";

const root = document.querySelector('meta[name="root"]').content;
const AT_ONCE = 500;
const MOST = 3000;
const NEAR = 600;

// A place as the cursors of the API have it.
const cursorAt = (place) => btoa(place).replaceAll("+", "-").replaceAll("/", "_");
const placeOf = (line) => `${line.attempt}.${line.seq}`;

class Log {
  constructor(element) {
    this.run = element.dataset.run;
    this.goesOn = element.dataset.goesOn === "yes";
    this.box = element.querySelector(".lines");
    this.form = element.querySelector("form");
    this.followButton = element.querySelector("[data-follow]");
    this.download = element.querySelector("[data-download]");
    this.note = element.querySelector("[data-note]");
    this.isFollowing = true;
    this.isLoading = false;
    this.generation = 0;
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.show(null); });
    this.form.addEventListener("change", () => this.show(null));
    element.querySelector("[data-first-error]").addEventListener("click", () => this.firstError());
    this.followButton.addEventListener("click", () => this.follow(!this.isFollowing));
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.box.addEventListener("click", (event) => {
      const link = event.target.closest("a.at");
      if (link) this.mark(link.hash.slice(1));
    });
    addEventListener("hashchange", () => this.show(this.placeAsked()));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.stream?.abort();
      else if (this.goesOn && !this.behind) this.listen(this.generation);
    });
    this.show(this.placeAsked());
  }

  placeAsked() {
    const found = /^#(\d+\.\d+)$/.exec(location.hash);
    return found && found[1];
  }

  get wanted() {
    const wanted = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) if (value) wanted.set(name, value);
    return wanted;
  }

  async page(cursor, backwards, limit = AT_ONCE) {
    const asked = this.wanted;
    asked.set("limit", limit);
    if (backwards) asked.set("backwards", "true");
    if (cursor) asked.set("cursor", cursor);
    const answer = await fetch(`${root}/api/v1/runs/${this.run}/logs?${asked}`);
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail);
    return said;
  }

  // Pages until there is something to see: of a long log only a part is looked at with each.
  async some(cursor, backwards) {
    const generation = this.generation;
    let lines = [];
    let next = cursor;
    do {
      const page = await this.page(next, backwards);
      if (generation !== this.generation) return null;
      lines = backwards ? [...page.items, ...lines] : [...lines, ...page.items];
      next = page.next;
      this.say(next && !lines.length ? "looking …" : "");
    } while (next && lines.length < 50);
    return { lines, next };
  }

  // Everything anew: the last lines, or those around a place.
  async show(place) {
    this.generation += 1;
    this.stream?.abort();
    this.download.href = `${root}/api/v1/runs/${this.run}/logs.txt?${this.wanted}`;
    this.download.hidden = !this.wanted.size;
    try {
      if (place) {
        const [attempt, seq] = place.split(".").map(Number);
        const behind = await this.some(cursorAt(`${attempt}.${Math.max(seq - 1, 0)}`), false);
        const before = behind && (await this.some(cursorAt(place), true));
        if (!before) return;
        this.box.replaceChildren(...this.elements([...before.lines, ...behind.lines]));
        this.before = before.next;
        this.behind = behind.next;
        this.follow(false);
        this.mark(place);
        document.getElementById(`L${place}`)?.scrollIntoView({ block: "center" });
      } else {
        const found = await this.some(null, true);
        if (!found) return;
        this.box.replaceChildren(...this.elements(found.lines));
        this.before = found.next;
        this.behind = null;
        this.follow(true);
      }
      if (!this.box.childElementCount) this.say(this.wanted.size ? "No line is like this." : this.goesOn ? "It has written nothing yet." : "It wrote nothing.");
      if (this.goesOn && !this.behind) this.listen(this.generation);
    } catch (error) {
      this.say(error.message);
    }
  }

  elements(lines) {
    const text = (this.wanted.get("text") ?? "").toLowerCase();
    return lines.map((line) => {
      const place = placeOf(line);
      const row = document.createElement("div");
      row.id = `L${place}`;
      row.className = `line ${(line.level ?? "").toLowerCase()}`;
      const at = document.createElement("a");
      at.className = "at";
      at.href = `#${place}`;
      at.title = `${line.at}, attempt ${line.attempt}, line ${line.seq}`;
      at.textContent = line.at.slice(11, 23);
      const level = document.createElement("span");
      level.className = "level";
      level.textContent = line.level ?? "";
      const said = document.createElement("span");
      said.className = "said";
      said.append(...shown(line.text, text));
      row.append(at, level, said);
      if (line.seq === 1 && line.attempt > 1) row.dataset.attempt = `attempt ${line.attempt}`;
      return row;
    });
  }

  mark(place) {
    for (const marked of this.box.querySelectorAll(".is-marked")) marked.classList.remove("is-marked");
    document.getElementById(`L${place}`)?.classList.add("is-marked");
  }

  follow(isOn) {
    this.isFollowing = isOn;
    this.followButton.setAttribute("aria-pressed", String(isOn));
    if (isOn && this.behind) this.show(null);
    else if (isOn) this.box.scrollTop = this.box.scrollHeight;
  }

  async scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    const left = scrollHeight - scrollTop - clientHeight;
    if (this.isFollowing && left > 40) this.follow(false);
    if (this.isLoading) return;
    this.isLoading = true;
    try {
      if (scrollTop < NEAR && this.before) await this.addBefore();
      else if (left < NEAR && this.behind) await this.addBehind();
    } catch (error) {
      this.say(error.message);
    } finally {
      this.isLoading = false;
    }
  }

  async addBefore() {
    const found = await this.some(this.before, true);
    if (!found) return;
    const below = this.box.scrollHeight - this.box.scrollTop;
    this.box.prepend(...this.elements(found.lines));
    this.before = found.next;
    while (this.box.childElementCount > MOST) {
      this.box.lastElementChild.remove();
      this.behind = cursorAt(this.box.lastElementChild.id.slice(1));
    }
    this.box.scrollTop = this.box.scrollHeight - below;
  }

  async addBehind() {
    const found = await this.some(this.behind, false);
    if (!found) return;
    this.box.append(...this.elements(found.lines));
    this.behind = found.next;
    this.forget();
    if (this.goesOn && !this.behind) this.listen(this.generation);
  }

  // What is far above goes, and what is looked at stays where it is.
  forget() {
    const before = this.box.scrollHeight;
    while (this.box.childElementCount > MOST) {
      this.box.firstElementChild.remove();
      this.before = cursorAt(this.box.firstElementChild.id.slice(1));
    }
    if (!this.isFollowing) this.box.scrollTop -= before - this.box.scrollHeight;
  }

  async firstError() {
    try {
      let next = null;
      do {
        const asked = new URLSearchParams({ level: "error", limit: 1, ...(next ? { cursor: next } : {}) });
        const answer = await fetch(`${root}/api/v1/runs/${this.run}/logs?${asked}`);
        const said = await answer.json();
        if (!answer.ok) throw new Error(said.detail);
        if (said.items.length) {
          this.form.reset();
          location.hash = placeOf(said.items[0]);
          return;
        }
        next = said.next;
      } while (next);
      tell("It logged no error.");
    } catch (error) {
      tell(error.message);
    }
  }

  // What is written from here on, as it comes; again from where it was cut off.
  async listen(generation) {
    this.stream?.abort();
    this.stream = new AbortController();
    const { signal } = this.stream;
    while (!signal.aborted && generation === this.generation) {
      try {
        const last = this.box.lastElementChild?.id.slice(1);
        const answer = await fetch(`${root}/api/v1/streams/runs/${this.run}/logs?${this.wanted}`, {
          headers: last ? { "last-event-id": last } : {}, signal,
        });
        if (!answer.ok) throw new Error((await answer.json()).detail);
        if (await this.read(answer.body.pipeThrough(new TextDecoderStream()).getReader())) return;
      } catch (error) {
        if (signal.aborted) return;
        this.say(error.message);
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }

  async read(reader) {
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return false;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      const lines = [];
      for (const part of parts) {
        if (/^event: end$/m.test(part)) {
          this.goesOn = false;
          this.put(lines);
          return true;
        }
        const data = /^data: (.*)$/m.exec(part);
        if (data && /^event: line$/m.test(part)) lines.push(JSON.parse(data[1]));
      }
      this.put(lines);
    }
  }

  put(lines) {
    if (!lines.length) return;
    this.say("");
    this.box.append(...this.elements(lines));
    if (this.isFollowing) {
      this.forget();
      this.box.scrollTop = this.box.scrollHeight;
    } else if (this.box.childElementCount > 2 * MOST) {
      // It is read elsewhere: the rest comes when it is scrolled to.
      this.stream.abort();
      this.behind = cursorAt(this.box.lastElementChild.id.slice(1));
    }
  }

  say(text) {
    this.note.textContent = text;
  }
}

for (const element of document.querySelectorAll(".log")) new Log(element);
