// The form that adds a schedule: it shows when the schedule would fire before it is kept.
import { add, optionsIn, saidIn, suit } from "./adding.js";
import { seconds } from "./lengths.js";
import { showTimes } from "./page.js";

const root = document.querySelector('meta[name="root"]').content;
const PATIENCE = 250;

class ScheduleForm {
  constructor(form) {
    this.form = form;
    this.asked = 0;
    this.preview = form.querySelector("[data-preview]");
    this.button = form.querySelector("button.main");
    const zones = document.getElementById("zones");
    zones.append(...(Intl.supportedValuesOf?.("timeZone") ?? []).map((zone) => new Option(zone)));
    form.addEventListener("input", () => this.soon());
    form.addEventListener("submit", (event) => { event.preventDefault(); this.add(); });
    this.soon();
  }

  soon() {
    suit(this.form, this.form.elements.when);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), PATIENCE);
  }

  // What the form says, as the API takes it: `when` is what a preview needs. Throws what it cannot say.
  get said() {
    const { kind, when, timezone, parameters } = this.form.elements;
    const value = kind.value === "interval" ? seconds(when.value) : when.value.trim();
    if (value === null) throw new Error("Give a length of time, such as 90 s, 15 min, 2 h or 1 d.");
    const { day_or, anchor, ...options } = optionsIn(this.form);
    const more = { ...(day_or !== undefined && { day_or }), ...(anchor && { anchor }) };
    return {
      when: { [kind.value]: value, timezone: timezone.value.trim() || "UTC", ...more },
      others: { parameters: saidIn(parameters) ?? {}, ...options },
    };
  }

  async look() {
    const number = this.asked += 1;
    this.button.disabled = true;
    if (!this.form.elements.when.value.trim()) return this.preview.replaceChildren();
    try {
      const { when } = this.said;
      const answer = await fetch(`${root}/api/v1/schedules/preview?${new URLSearchParams({ ...when, next: 5 })}`);
      const found = await answer.json();
      if (number !== this.asked) return undefined;
      if (!answer.ok) throw new Error(found.detail);
      this.show(found);
      this.button.disabled = false;
    } catch (error) {
      if (number === this.asked) this.wrong(error.message);
    }
    return undefined;
  }

  show(found) {
    const said = document.createElement("p");
    said.textContent = found.next.length ? `${found.said}, next:` : `${found.said}: it never fires again.`;
    const list = document.createElement("ul");
    for (const one of found.next) {
      const item = document.createElement("li");
      const time = document.createElement("time");
      time.dateTime = one.at;
      const set = one.clock_set_by ? ` (the clock was set by ${one.clock_set_by / 60} min)` : "";
      item.append(`${one.in_zone.slice(0, 19).replace("T", " ")}${set} · `, time);
      list.append(item);
    }
    this.preview.className = "";
    this.preview.replaceChildren(said, list);
    showTimes(this.preview);
  }

  wrong(text) {
    this.preview.className = "bad";
    this.preview.textContent = text;
  }

  async add() {
    try {
      const { when, others } = this.said;
      await add(this.form, { ...when, ...others });
      this.soon();
    } catch (error) {
      this.wrong(error.message);
    }
  }
}

for (const form of document.querySelectorAll("form.schedule")) new ScheduleForm(form);
