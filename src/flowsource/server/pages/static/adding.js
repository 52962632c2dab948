// What the forms share that add something to a deployment.
import { ask, refresh, tell } from "./page.js";

// The parameters that a form has as JSON; throws where they are none.
export function parametersOf(form) {
  const text = form.elements.parameters.value;
  if (!text.trim()) return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("The parameters are no JSON.");
  }
}

// Ask the API for what a form says, and put the form away.
export async function add(form, said) {
  await ask("POST", form.dataset.post, said);
  form.reset();
  form.closest("details").open = false;
  tell("Added. It stays until somebody removes it.");
  await refresh();
}
