// The form that adds a trigger.
import { add, parametersOf } from "./adding.js";

class TriggerForm {
  constructor(form) {
    this.form = form;
    this.problem = form.querySelector("[data-problem]");
    form.addEventListener("change", () => this.hint());
    form.addEventListener("submit", (event) => { event.preventDefault(); this.add(); });
    this.hint();
  }

  hint() {
    this.form.elements.what.placeholder = this.form.elements.kind.selectedOptions[0].dataset.hint;
  }

  async add() {
    this.problem.textContent = "";
    try {
      const { kind, what } = this.form.elements;
      await add(this.form, { [kind.value]: what.value.trim(), parameters: parametersOf(this.form) });
      this.hint();
    } catch (error) {
      this.problem.textContent = error.message;
    }
  }
}

for (const form of document.querySelectorAll("form.trigger")) new TriggerForm(form);
