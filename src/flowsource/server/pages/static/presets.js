// Values of a form that a person keeps under names: in this browser alone, apart for each form.
import { parse } from "./json.js";
import { tell } from "./page.js";

// What is kept at `place` in the storage of the browser: values by name.
class Shelf {
  constructor(place) {
    this.place = place;
  }

  get all() {
    try {
      return new Map(parse(localStorage.getItem(this.place) ?? "[]"));
    } catch {
      return new Map();
    }
  }

  // Throws where the browser keeps nothing, or no more.
  set all(values) {
    try {
      if (values.size) localStorage.setItem(this.place, JSON.stringify([...values]));
      else localStorage.removeItem(this.place);
    } catch {
      throw new Error("This browser does not keep it: its storage is full, or switched off.");
    }
  }
}

// A part of a page that offers what is kept, and keeps what `given` returns; `fill` takes what is chosen.
export class Presets {
  constructor(part, place, { given, fill }) {
    this.shelf = new Shelf(place);
    this.choice = part.querySelector("select");
    this.name = part.querySelector("input");
    [this.keeper, this.remover] = ["keep", "remove"].map((act) => part.querySelector(`[data-${act}]`));
    this.choice.addEventListener("change", () => this.act(() => {
      this.name.value = this.choice.value;
      if (this.choice.value) fill(this.shelf.all.get(this.choice.value));
    }));
    this.name.addEventListener("input", () => this.show());
    this.name.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.keeper.click();
    });
    this.keeper.addEventListener("click", () => this.act(() => {
      const name = this.name.value.trim();
      if (!name) throw new Error("Give the preset a name.");
      this.shelf.all = this.shelf.all.set(name, given());
      tell(`Kept as ${name}, in this browser.`);
    }));
    this.remover.addEventListener("click", () => this.act(() => {
      const kept = this.shelf.all;
      kept.delete(this.name.value.trim());
      this.shelf.all = kept;
      this.name.value = "";
    }));
    // Another tab may keep some as well.
    addEventListener("storage", () => this.show());
    this.show();
  }

  act(what) {
    try {
      what();
    } catch (error) {
      tell(error.message);
    }
    this.show();
  }

  show() {
    const kept = this.shelf.all;
    const name = this.name.value.trim();
    this.choice.replaceChildren(new Option(kept.size ? "choose …" : "none yet", ""), ...[...kept.keys()].sort().map((each) => new Option(each)));
    this.choice.value = kept.has(name) ? name : "";
    this.choice.disabled = !kept.size;
    this.keeper.textContent = kept.has(name) ? "Replace" : "Keep";
    this.remover.hidden = !kept.has(name);
  }
}
