// A page that waits asks how things stand, and redraws what has changed; what is open stays open.
import { announce, main, say, texts } from "./dom.js";
import { get, text } from "./wire.js";

const FIRST_MS = 400;
const LAST_MS = 8000;

let known = main.dataset.known;
let wire = null;
let isWatching = false;

export function watch(wiring) {
  wire = wiring;
  if (main.dataset.moving === "yes") keepWatching();
}

export function keepWatching() {
  if (!isWatching) wait(FIRST_MS);
}

async function wait(pause) {
  isWatching = true;
  await new Promise((passed) => setTimeout(passed, pause));
  if (document.hidden) await new Promise((back) => document.addEventListener("visibilitychange", back, { once: true }));
  try {
    const now = await get("progress");
    const news = JSON.stringify([now.states, now.claims]);
    if (news !== known) {
      await redraw();
      known = news;
      pause = FIRST_MS;
    }
    isWatching = now.is_moving;
  } catch {
    // No connection: the next round asks again.
  }
  if (isWatching) wait(Math.min(pause * 1.5, LAST_MS));
}

async function redraw() {
  const fresh = new DOMParser().parseFromString(await text(location.pathname + location.search), "text/html");
  const lines = [...fresh.querySelectorAll(".line")];
  if (lines.length !== main.querySelectorAll(".line").length) throw new Error("not the page");
  place(lines.map((line) => document.adoptNode(line)));
  document.getElementById("hero").replaceWith(document.adoptNode(fresh.getElementById("hero")));
}

// Lines keep their places: one that is asked for again, in another way, is another delivery there.
function place(lines) {
  const olds = [...main.querySelectorAll(".line")];
  lines.forEach((line, at) => {
    const old = olds[at];
    if (signOf(line) === signOf(old)) return;
    const hadFocus = old.contains(document.activeElement);
    const hadState = old.dataset.state;
    wire(line);
    keepUnits(old, line);
    old.replaceWith(line);
    if (hadFocus) line.querySelector("h2").focus();
    if (hadState !== line.dataset.state) tell(line);
  });
}

function signOf(line) {
  return [line.dataset.delivery, line.dataset.state, ...[...line.querySelectorAll(".unit")].map(signOfUnit)].join();
}

function signOfUnit(unit) {
  return unit.dataset.unit + unit.dataset.claim;
}

function keepUnits(old, line) {
  const olds = new Map([...old.querySelectorAll(".unit")].map((unit) => [signOfUnit(unit), unit]));
  for (const unit of line.querySelectorAll(".unit")) {
    const same = olds.get(signOfUnit(unit));
    if (same) unit.replaceWith(same);
    else if (unit.querySelector(".claim")) announce(unit.querySelector(".claim").textContent);
  }
}

function tell(line) {
  const [name, state] = ["h2", ".state"].map((part) => line.querySelector(part).textContent);
  announce(say(texts.news, { name, state }));
}
