// The form that adds a trigger.
import { add, optionsIn, saidIn, suit } from "./adding.js";

class TriggerForm {
  constructor(form) {
    this.form = form;
    this.problem = form.querySelector("[data-problem]");
    form.addEventListener("change", () => suit(form, form.elements.what));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.add(); });
    suit(form, form.elements.what);
  }

  // What the form says, as the API takes it; throws what it cannot say.
  get said() {
    const { kind, what, parameters } = this.form.elements;
    const waits = kind.value ? { [kind.value]: what.value.trim() } : saidIn(what);
    const given = saidIn(parameters);
    return { ...waits, ...(given && { parameters: given }), ...optionsIn(this.form) };
  }

  async add() {
    this.problem.textContent = "";
    try {
      await add(this.form, this.said);
      suit(this.form, this.form.elements.what);
    } catch (error) {
      this.problem.textContent = error.message;
    }
  }
}

for (const form of document.querySelectorAll("form.trigger")) new TriggerForm(form);
