// What the page is made of: its texts, its data, elements, and words for people who listen.

export const main = document.querySelector("main[data-token]");
export const texts = JSON.parse(main.dataset.texts);

const language = document.documentElement.lang;
const announcer = document.getElementById("announce");

export function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

export function button(className, verb, onClick) {
  const made = element("button", className, verb);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

export function announce(text) {
  announcer.textContent = text;
}

export function say(text, values) {
  return Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, value), text);
}

// Times are in the reader's zone; the server can only know UTC.
export function localise(time) {
  const style = time.dataset.only === "date" ? { dateStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
  time.textContent = new Intl.DateTimeFormat(language, style).format(new Date(time.dateTime));
}

export function timeOf(at) {
  const time = element("time");
  time.dateTime = at;
  localise(time);
  return time;
}
