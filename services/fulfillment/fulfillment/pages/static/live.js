// A page that waits asks how things stand, and redraws what has changed; what is open stays open.
import { announce, main, say, texts } from "./dom.js";
import { get, text } from "./wire.js";

const FIRST_MS = 400;
const LAST_MS = 8000;

let states = main.dataset.states;

export function watch(wire) {
  if (main.dataset.moving === "yes") wait(FIRST_MS, wire);
}

async function wait(pause, wire) {
  await new Promise((passed) => setTimeout(passed, pause));
  if (document.hidden) await new Promise((back) => document.addEventListener("visibilitychange", back, { once: true }));
  let isMoving = true;
  try {
    const now = await get("progress");
    isMoving = now.is_moving;
    if (JSON.stringify(now.states) !== states) {
      await redraw(wire);
      states = JSON.stringify(now.states);
      pause = FIRST_MS;
    }
  } catch {
    isMoving = true; // no connection: the next round asks again
  }
  if (isMoving) wait(Math.min(pause * 1.5, LAST_MS), wire);
}

export async function redraw(wire) {
  const fresh = new DOMParser().parseFromString(await text(location.pathname + location.search), "text/html");
  const lines = [...fresh.querySelectorAll(".line")];
  if (lines.length !== main.querySelectorAll(".line").length) throw new Error("not the page");
  place(lines.map((line) => document.adoptNode(line)), wire);
  const hero = document.adoptNode(fresh.getElementById("hero"));
  document.getElementById("hero").replaceWith(hero);
}

// Lines keep their places: one that is asked for again, in another way, is another delivery there.
function place(lines, wire) {
  const olds = [...main.querySelectorAll(".line")];
  lines.forEach((line, at) => {
    const old = olds[at];
    if (old.dataset.delivery === line.dataset.delivery && old.dataset.state === line.dataset.state) return;
    const hadFocus = old.contains(document.activeElement);
    wire(line);
    old.replaceWith(line);
    if (hadFocus) line.querySelector("h2").focus();
    const [name, state] = ["h2", ".state"].map((part) => line.querySelector(part).textContent);
    announce(say(texts.news, { name, state }));
  });
}
