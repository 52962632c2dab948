// The same done to all runs of a query: how many there are is told first, and what came of it afterwards.
import { ask, isSure, refresh, tell } from "./page.js";

const counted = (count) => `${count} ${count === 1 ? "run" : "runs"}`;

// What an answer says was done and passed over, in words.
function came(said) {
  const changed = Object.entries(said.changed).map(([how, count]) => `${counted(count)} ${how}`);
  const skipped = Object.entries(said.skipped).map(([why, count]) => `${counted(count)} passed over (${why})`);
  const more = said.more ? ["there are more: do it again"] : [];
  return [...(changed.length ? changed : ["nothing was to be done"]), ...skipped, ...more].join("; ");
}

async function doToAll(button) {
  const { bulk, query, question, none } = button.dataset;
  const { hit } = await ask("POST", bulk, { query, dry_run: true });
  if (!hit) return tell(none);
  if (!(await isSure(question.replace("{}", counted(hit))))) return undefined;
  tell(`${came(await ask("POST", bulk, { query, limit: 1000 }))}.`);
  return refresh();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-bulk]");
  if (!button) return;
  button.disabled = true;
  try {
    await doToAll(button);
  } catch (error) {
    tell(error.message);
  } finally {
    button.disabled = false;
  }
});
