// Makes tokens. A secret is in the page from the answer that has it until the page is left, and nowhere else.
import { lengthIn } from "./lengths.js";
import { ask, refresh, tell } from "./page.js";

const panel = document.getElementById("secret");
const secret = panel.querySelector("code");

function show(made) {
  panel.querySelector("[role=status]").textContent =
    `The secret of ${made.name}. It is shown this once: whoever has it may use it, so put it where only he can read it.`;
  secret.textContent = made.secret;
  panel.hidden = false;
  panel.querySelector("[data-copy-secret]").focus();
}

function forget() {
  secret.textContent = "";
  panel.hidden = true;
}

async function copy() {
  try {
    await navigator.clipboard.writeText(secret.textContent);
    tell("Copied.");
  } catch {
    // Browsers keep the clipboard to themselves where a server speaks no HTTPS.
    getSelection().selectAllChildren(secret);
    tell("It is selected: copy it with the keys of your machine.");
  }
}

// What the form says, as the API takes it; throws what it cannot say.
function saidBy(form) {
  const scopes = [...form.querySelectorAll("[name=scopes]:checked")].map((box) => box.value);
  if (!scopes.length) throw new Error("May: choose what may be done with it.");
  const length = lengthIn(form.elements.counts_for);
  const end = length === undefined ? {} : { expires_at: new Date(Date.now() + length * 1000).toISOString() };
  return { name: form.elements.name.value, scopes, ...end };
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form.token");
  if (!form) return;
  event.preventDefault();
  const problem = form.querySelector("[data-problem]");
  const button = form.querySelector("button.main");
  problem.textContent = "";
  button.disabled = true;
  try {
    const made = await ask("POST", form.dataset.post, saidBy(form));
    form.reset();
    form.closest("details").open = false;
    show(made);
    await refresh();
  } catch (error) {
    problem.textContent = error.message;
  } finally {
    button.disabled = false;
  }
});

panel.querySelector("[data-copy-secret]").addEventListener("click", copy);
panel.querySelector("[data-forget]").addEventListener("click", forget);
// Whoever comes back to this page finds nothing of it.
addEventListener("pagehide", forget);
