// The query box: how the word that is being written may go on, by keyboard or pointer.

const root = document.querySelector('meta[name="root"]').content;
const PATIENCE = 120;

class Completion {
  constructor(input) {
    this.input = input;
    this.list = document.getElementById("terms");
    this.asked = 0;
    input.addEventListener("input", () => this.soon());
    input.addEventListener("focus", () => this.soon());
    input.addEventListener("blur", () => this.show([]));
    input.addEventListener("keydown", (event) => this.pressed(event));
    // Before the box loses the focus, and the list is gone.
    this.list.addEventListener("pointerdown", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) { event.preventDefault(); this.choose(option); }
    });
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), PATIENCE);
  }

  async look() {
    const number = this.asked += 1;
    const { value, selectionEnd } = this.input;
    // In the middle of what is there nothing is completed.
    if (selectionEnd !== value.length) return this.show([]);
    try {
      const answer = await fetch(`${root}/completions?${new URLSearchParams({ query: value })}`);
      const { items } = await answer.json();
      if (number === this.asked && document.activeElement === this.input) this.show(answer.ok ? items : []);
    } catch {
      this.show([]);
    }
    return undefined;
  }

  show(queries) {
    this.asked += queries.length ? 0 : 1;
    this.list.replaceChildren(...queries.map((query, place) => {
      const option = document.createElement("li");
      option.id = `term-${place}`;
      option.setAttribute("role", "option");
      option.dataset.query = query;
      option.textContent = query.split(" ").pop();
      return option;
    }));
    this.list.hidden = !queries.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.mark(-1);
  }

  mark(place) {
    this.place = place;
    [...this.list.children].forEach((option, each) => option.setAttribute("aria-selected", String(each === place)));
    const marked = this.list.children[place];
    if (marked) {
      this.input.setAttribute("aria-activedescendant", marked.id);
      marked.scrollIntoView({ block: "nearest" });
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }

  pressed(event) {
    const count = this.list.children.length;
    if (event.isComposing || !count) return;
    if (event.key === "ArrowDown") this.mark((this.place + 1) % count);
    else if (event.key === "ArrowUp") this.mark(this.place > 0 ? this.place - 1 : count - 1);
    else if ((event.key === "Enter" || event.key === "Tab") && this.place >= 0) this.choose(this.list.children[this.place]);
    else if (event.key === "Escape") this.show([]);
    else return;
    event.preventDefault();
  }

  choose(option) {
    this.input.value = option.dataset.query;
    this.input.focus();
    this.soon();
    this.show([]);
  }
}

for (const input of document.querySelectorAll("[data-completes]")) new Completion(input);
