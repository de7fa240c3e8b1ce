// One unit of the page: locked, opening, open, or with a problem that can be tried again.
import { announce, element, say, texts, timeOf } from "./dom.js";
import { openCode } from "./codes.js";
import { fieldsOf } from "./fields.js";

const SLOW_MS = 4000;
const opened = new WeakMap(); // what is on the screen, so that it can be copied without another view

export function wireUnit(unit) {
  const show = unit.querySelector(".show");
  show.addEventListener("click", () => (isOpen(unit) ? hide(unit) : tryToShow(unit)));
  show.disabled = false;
}

export function fieldsShown(unit) {
  return opened.get(unit);
}

export function isOpen(unit) {
  return unit.querySelector(".show").getAttribute("aria-expanded") === "true";
}

async function tryToShow(unit) {
  try {
    await show(unit);
    announce(texts.opened);
  } catch {
    // What went wrong stands beside the code already.
  }
}

// Throws the Problem after showing it.
export async function show(unit) {
  const button = unit.querySelector(".show");
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  name(button, texts.opening);
  complain(unit, "");
  const slow = setTimeout(() => sayItIsSlow(unit), SLOW_MS);
  try {
    const answer = await openCode(unit.dataset.unit);
    complain(unit, "");
    fill(unit, answer);
  } catch (problem) {
    complain(unit, problem.words || texts.error_broken);
    throw problem;
  } finally {
    clearTimeout(slow);
    button.disabled = false;
    button.removeAttribute("aria-busy");
    name(button, verbOf(unit));
  }
}

export function fill(unit, answer) {
  opened.set(unit, answer.fields);
  const content = unit.querySelector(".content");
  content.replaceChildren(...fieldsOf(answer.fields));
  content.hidden = false;
  unit.querySelector(".show").setAttribute("aria-expanded", "true");
  name(unit.querySelector(".show"), texts.hide);
  noteView(unit, answer.views, answer.lastViewedAt);
}

export function hide(unit) {
  opened.delete(unit);
  const content = unit.querySelector(".content");
  content.replaceChildren();
  content.hidden = true;
  const button = unit.querySelector(".show");
  button.setAttribute("aria-expanded", "false");
  name(button, texts.show);
  announce(texts.hidden);
}

function verbOf(unit) {
  if (isOpen(unit)) return texts.hide;
  return unit.querySelector(".problem").hidden ? texts.show : texts.try_again;
}

function name(button, verb) {
  button.querySelector(".verb").textContent = verb;
}

function noteView(unit, views, at) {
  const count = views === 1 ? texts.viewed_once : say(texts.viewed_many, { count: views });
  unit.querySelector(".viewed").replaceChildren(`${count} · ${texts.last_viewed} `, timeOf(at));
}

// Somebody who is asked for a one-time code takes their time; the network is not slow.
function sayItIsSlow(unit) {
  if (!document.querySelector("dialog[open]")) complain(unit, texts.slow, "slow");
}

function complain(unit, text, kind = "") {
  const problem = unit.querySelector(".problem");
  problem.className = `problem ${kind}`;
  problem.textContent = text;
  problem.hidden = !text;
}
