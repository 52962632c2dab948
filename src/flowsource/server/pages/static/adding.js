// What the forms share that add something to a deployment.
import { lengthIn } from "./lengths.js";
import { ask, refresh, tell } from "./page.js";

function json(text, name) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${name}: this is not JSON.`);
  }
}

const nameOf = (field) => field.labels[0].textContent.trim();

// How a field is read that says something.
const READ = {
  text: (field) => field.value.trim(),
  number: (field) => Number(field.value),
  instant: (field) => new Date(field.value).toISOString(),
  length: lengthIn,
  json: (field) => json(field.value, nameOf(field)),
};

// What one field says, undefined where it says nothing; a box has what it says as JSON. Throws where it cannot be read.
export function saidIn(field) {
  if (field.type === "checkbox") return field.checked ? JSON.parse(field.value) : undefined;
  return field.value.trim() ? READ[field.dataset.as ?? "text"](field) : undefined;
}

// What the fields of a form say that few need, by name: those that are for the kind that is chosen.
export function optionsIn(form) {
  const fields = [...form.querySelectorAll(".more [name]")].filter((field) => !field.closest("[hidden]"));
  return Object.fromEntries(fields.map((field) => [field.name, saidIn(field)]).filter(([, said]) => said !== undefined));
}

// Show those fields alone that are for the kind that is chosen, and what one of that kind is like.
export function suit(form, field) {
  const { value, dataset } = form.elements.kind.selectedOptions[0];
  field.placeholder = dataset.hint;
  for (const each of form.querySelectorAll("[data-for]")) each.hidden = each.dataset.for !== value;
}

// Ask the API for what a form says, and put the form away.
export async function add(form, said) {
  await ask("POST", form.dataset.post, said);
  form.reset();
  form.closest("details").open = false;
  tell("Added. It stays until somebody removes it.");
  await refresh();
}
