// Forms that ask the API for what their fields say.
import { ask, refresh, tell } from "./page.js";

// The fields that say something, by name; throws where one that is JSON is none.
function saidIn(form) {
  const said = {};
  for (const field of form.querySelectorAll("[name]")) {
    const text = field.value.trim();
    if (!text) continue;
    try {
      said[field.name] = field.dataset.json === undefined ? text : JSON.parse(text);
    } catch {
      throw new Error("This is not JSON.");
    }
  }
  return said;
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-ask]");
  if (!form) return;
  event.preventDefault();
  const problem = form.querySelector("[data-problem]");
  problem.textContent = "";
  try {
    await ask("POST", form.dataset.ask, saidIn(form));
    form.reset();
    form.closest("details").open = false;
    tell(form.dataset.done);
    await refresh();
  } catch (error) {
    problem.textContent = error.message;
  }
});
