"use strict";
// One person's labels. Every answer is on the server's disk before the next pair is shown.
const at = id => document.getElementById(id);
const TOKEN = "restem-label", KEYS = "restem-label-keys";
if (location.hash.length > 1) {
  sessionStorage.setItem(TOKEN, location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}
const BY_KEY = {"1": "left", "2": "right", "=": "tie", s: "skip", u: "undo"};
let state = null, busy = false;

async function ask(path, body) {
  if (busy) return;
  busy = true;
  try {
    const options = {headers: {Authorization: `Bearer ${sessionStorage.getItem(TOKEN) || ""}`}};
    if (body) {
      options.method = "POST";
      options.headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(body);
    }
    let reply;
    try {
      reply = await fetch(path, options);
    } catch {
      trouble("The server does not answer. What you labelled is kept: run the same restem label again.");
      return;
    }
    if (reply.ok) show(await reply.json());
    else if (reply.status === 401) trouble("Open this page by the link that restem label printed.");
    else trouble(`Not kept: ${(await reply.text()).trim()}`);
  } catch {
    trouble("The server went away before it had answered. Try again shows what is kept.");
  } finally {
    busy = false;
  }
}

function trouble(text) {
  at("reason").textContent = text;
  at("trouble").hidden = false;
  at("again").focus();
}

function show(next) {
  const before = state && state.shown ? state.shown.id : "";
  state = next;
  const shown = state.shown, done = state.labelled + state.skipped;
  at("trouble").hidden = true;
  at("run").textContent = `${state.run} · samples of p${state.iteration} · ${state.person}`;
  at("bar").max = state.pairs;
  at("bar").value = done;
  const skipped = state.skipped ? `, ${state.skipped} skipped` : "";
  at("count").textContent = `${state.labelled} of ${state.pairs} labelled${skipped}`;
  at("work").hidden = !shown;
  at("through").hidden = Boolean(shown);
  at("answers").hidden = false;
  if (shown) {
    at("question").textContent = shown.question;
    at("left").textContent = shown.left;
    at("right").textContent = shown.right;
  }
  for (const button of document.querySelectorAll("[data-says]")) {
    const able = button.dataset.says === "undo" ? state.last : shown;
    button.setAttribute("aria-disabled", able ? "false" : "true");
  }
  at("said").textContent = shown ? `Pair ${state.number} of ${state.pairs}.` : "You are through.";
  if (shown && shown.id !== before) scrollTo(0, 0);
  table(state.agreements || []);
}

const percent = value => `${(100 * value).toFixed(1)}%`;
const number = value => value.toFixed(2);

function measured(one, words) {
  return one ? `${words(one.value)} [${words(one.low)}, ${words(one.high)}]` : "not defined";
}

function table(lines) {
  at("others").hidden = !lines.length;
  at("rows").replaceChildren(...lines.map(line => {
    const row = document.createElement("tr"), found = line.found;
    const cells = [line.one, line.other, found.pairs, measured(found.share, percent),
      measured(found.kappa, number)];
    row.append(...cells.map((text, place) => {
      const cell = document.createElement(place ? "td" : "th");
      if (!place) cell.scope = "row";
      cell.textContent = text;
      return cell;
    }));
    return row;
  }));
}

function say(says) {
  if (!state || !at("trouble").hidden) return;
  if (says === "undo") {
    if (state.last) ask("undo", {pair: state.last});
  } else if (state.shown) ask("label", {pair: state.shown.id, says});
}

for (const button of document.querySelectorAll("[data-says]"))
  button.addEventListener("click", () => say(button.dataset.says));
at("again").addEventListener("click", () => ask("state"));
addEventListener("keydown", event => {
  // A key that is held down answers once.
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !at("keys").checked) return;
  const says = BY_KEY[event.key.toLowerCase()];
  if (!says) return;
  event.preventDefault();
  say(says);
});
at("keys").checked = localStorage.getItem(KEYS) !== "off";
at("keys").addEventListener("change", () => localStorage.setItem(KEYS, at("keys").checked ? "on" : "off"));
ask("state");
