// The same done to all runs, or deployments, of a query: how many there are is told first, and what came of it afterwards.
import { ask, isSure, refresh, tell } from "./page.js";

const counted = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;

// What an answer says was done and passed over, in words.
function came(said, thing) {
  const changed = Object.entries(said.changed).map(([how, count]) => `${counted(count, thing)} ${how}`);
  const skipped = Object.entries(said.skipped).map(([why, count]) => `${counted(count, thing)} passed over (${why})`);
  const more = said.more ? ["there are more: do it again"] : [];
  return [...(changed.length ? changed : ["nothing was to be done"]), ...skipped, ...more].join("; ");
}

async function doToAll(button) {
  const { bulk, query, thing, question, none, why } = button.dataset;
  const { hit } = await ask("POST", bulk, { query, dry_run: true });
  if (!hit) return tell(none);
  const sure = await isSure(question.replace("{}", counted(hit, thing)), { asksWhy: why !== undefined });
  if (!sure) return undefined;
  const reason = sure.reason ? { reason: sure.reason } : {};
  tell(`${came(await ask("POST", bulk, { query, limit: 1000, ...reason }), thing)}.`);
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
