// What every page does: acts, keys, times, and staying up to date.
import { morph } from "./morph.js";

const root = document.querySelector('meta[name="root"]').content;
const csrf = document.querySelector('meta[name="csrf"]')?.content;
const main = document.getElementById("main");

// --- Acts -----------------------------------------------------------------------------------------------------------

export function tell(text) {
  const told = document.getElementById("told");
  told.textContent = text;
  told.hidden = false;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { told.hidden = true; }, 12000);
}

export async function ask(method, path, body) {
  const headers = { "content-type": "application/json" };
  if (csrf) headers["x-csrf-token"] = csrf;
  let answer;
  try {
    answer = await fetch(root + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const said = await answer.json().catch(() => null);
  if (!answer.ok) throw Object.assign(new Error(said?.detail ?? `The server answered ${answer.status}.`), { said });
  return said;
}

// Whether a person says yes to `text`, once the name `typed` is written where there is one: false, or what else he said.
export function isSure(text, { typed = "", asksWhy = false } = {}) {
  const [dialog, name, reason, yes] = ["sure", "sure-name", "sure-reason", "sure-yes"].map((id) => document.getElementById(id));
  document.getElementById("sure-text").textContent = text;
  document.getElementById("sure-typed").hidden = !typed;
  document.getElementById("sure-why").hidden = !asksWhy;
  name.value = reason.value = dialog.returnValue = "";
  const look = () => { yes.disabled = name.value !== typed; };
  name.addEventListener("input", look);
  look();
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      name.removeEventListener("input", look);
      resolve(dialog.returnValue === "yes" && { reason: reason.value.trim() });
    }, { once: true });
  });
}

// Ask for what a button stands for, with the reason that was given for it.
function askFor({ post, method = "POST", body }, reason) {
  const said = reason ? { reason } : {};
  if (method !== "DELETE") return ask(method, post, { ...JSON.parse(body), ...said });
  return ask(method, reason ? `${post}?${new URLSearchParams(said)}` : post);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button) return;
  const { confirm, typed, why, then } = button.dataset;
  const sure = confirm ? await isSure(confirm, { typed, asksWhy: why !== undefined }) : {};
  if (!sure) return;
  button.disabled = true;
  try {
    const said = await askFor(button.dataset, sure.reason);
    if (then === "run") location.href = `${root}/runs/${said.id}`;
    else if (then) location.href = root + then;
    else await refresh();
  } catch (error) {
    tell(error.message);
  } finally {
    button.disabled = false;
  }
});

document.addEventListener("click", async (event) => {
  const text = event.target.closest("[data-copy]");
  if (!text || getSelection().toString()) return;
  await navigator.clipboard?.writeText(text.textContent).then(() => tell("Copied."), () => {});
});

// --- Times ----------------------------------------------------------------------------------------------------------

const CLOCKS = ["ago", "here", "UTC"];
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
let clock = remembered("clock") ?? "ago";

function remembered(name) {
  try {
    return localStorage.getItem(`flowsource-${name}`);
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    if (value) localStorage.setItem(`flowsource-${name}`, value);
    else localStorage.removeItem(`flowsource-${name}`);
  } catch {
    // It holds until the page is left.
  }
}

function relative(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  if (seconds === 0) return "now";
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each);
  const count = Math.floor(Math.abs(seconds) / size);
  return seconds > 0 ? `in ${count} ${unit}` : `${count} ${unit} ago`;
}

function onClock(at, zone) {
  const said = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: zone });
  return said.format(at);
}

export function showTimes(within = document) {
  for (const each of within.querySelectorAll("time[datetime]")) {
    const at = new Date(each.dateTime);
    const here = `${onClock(at)} here, ${onClock(at, "UTC")} UTC`;
    const text = clock === "UTC" ? onClock(at, "UTC") : clock === "here" ? onClock(at) : relative(at);
    if (each.textContent !== text) each.textContent = text;
    if (each.title !== here) each.title = here;
  }
}

const clockButton = document.getElementById("clock");
clockButton.addEventListener("click", () => {
  clock = CLOCKS[(CLOCKS.indexOf(clock) + 1) % CLOCKS.length];
  remember("clock", clock);
  clockButton.textContent = clock;
  showTimes();
});
clockButton.textContent = clock;
setInterval(showTimes, 1000);
showTimes();

const LOOKS = ["", "light", "dark"];
document.getElementById("look").addEventListener("click", () => {
  const look = LOOKS[(LOOKS.indexOf(document.documentElement.dataset.look ?? "") + 1) % LOOKS.length];
  if (look) document.documentElement.dataset.look = look;
  else delete document.documentElement.dataset.look;
  remember("look", look);
});

// --- Up to date -----------------------------------------------------------------------------------------------------

let isRefreshing = false;
let isStale = false;

// The page as it is now, in the place of what it was: what did not change does not move.
export async function refresh() {
  if (isRefreshing) {
    isStale = true;
    return;
  }
  isRefreshing = true;
  try {
    do {
      isStale = false;
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
      showTimes(fresh);
      morph(main, fresh);
    } while (isStale);
  } catch {
    // The stream says that nobody answers.
  } finally {
    isRefreshing = false;
  }
}

const STREAMS = { events: "/api/v1/streams/events", runs: "/api/v1/streams/runs" };
// However much happens, the page is made anew so often at most.
const EVERY = 1000;
const AGAIN = 3000;
// A server that is there says so in half of this.
const SILENT = 2000 * main.dataset.aliveEvery;

function follow(path) {
  const live = document.getElementById("live");
  let stream = null;
  let hasEnded = false;
  let timer = null;
  let later = null;
  let watch = null;
  live.hidden = false;
  const say = (text, isOn) => {
    live.textContent = text;
    live.classList.toggle("is-on", isOn);
  };
  say("○ connecting", false);
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = null;
      refresh();
    }, EVERY);
  };
  const close = () => {
    stream?.close();
    clearTimeout(later);
    clearTimeout(watch);
  };
  // A connection may stay open to a server that is there no more, or does nothing.
  const hear = () => {
    clearTimeout(watch);
    watch = setTimeout(() => { say("○ not live", false); open(); }, SILENT);
  };
  const open = () => {
    close();
    stream = new EventSource(root + path);
    stream.onopen = () => { say("● live", true); hear(); soon(); };
    stream.onerror = () => {
      say("○ not live", false);
      clearTimeout(watch);
      // Browsers come back to a connection that broke, and not to a server that said no, as one without its store does.
      if (stream.readyState === EventSource.CLOSED) later = setTimeout(open, AGAIN);
    };
    for (const name of ["run", "left", "event", "step"]) stream.addEventListener(name, () => { hear(); soon(); });
    for (const name of ["begin", "gap", "alive"]) stream.addEventListener(name, hear);
    // What ends here is not to be taken for a server that went away.
    stream.addEventListener("end", () => { hasEnded = true; close(); say("ended", false); soon(); });
  };
  // Browsers keep few connections to one server, for all tabs together: a tab that nobody looks at gives up its own.
  document.addEventListener("visibilitychange", () => {
    close();
    if (!document.hidden && !hasEnded) open();
  });
  addEventListener("pagehide", close);
  if (!document.hidden) open();
}

if (main.dataset.live) follow(STREAMS[main.dataset.live] ?? main.dataset.live);

// --- Keys -----------------------------------------------------------------------------------------------------------

const GOES = { o: "/", r: "/runs", s: "/sources", n: "/runners", e: "/events", t: "/tokens" };
let isGoing = false;

function step(by) {
  const rows = [...main.querySelectorAll("[data-row]")].map((row) => row.querySelector("a.main") ?? row.querySelector("a"));
  if (!rows.length) return;
  const at = rows.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
  rows[Math.min(Math.max(at + by, 0), rows.length - 1)].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
  const key = event.key;
  if (isGoing && GOES[key]) location.href = root + GOES[key];
  else if (key === "/") document.querySelector('[data-key="/"]').focus();
  else if (key === "?") document.getElementById("keys").showModal();
  else if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key !== "g") { isGoing = false; return; }
  isGoing = key === "g";
  event.preventDefault();
});
