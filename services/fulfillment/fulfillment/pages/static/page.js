// Opens codes inside the browser: a key pair per view, the box from the server, never a code in HTML.
"use strict";

(() => {
  const HEADER_BYTES = 68; // LS1: magic, suite, merchant, lot, unit, key
  const UNIT_AT = 36;
  const MAGIC = "LS1\u0001";
  const PADDING_END = 0x80;
  const POLL_FIRST_MS = 400;
  const POLL_MAX_MS = 8000;
  const COPIED_SHOWN_MS = 1600;

  const main = document.querySelector("main[data-token]");
  const texts = JSON.parse(main.dataset.texts);
  const announcer = document.getElementById("announce");
  const language = document.documentElement.lang;

  for (const unit of document.querySelectorAll(".unit")) {
    const button = unit.querySelector(".show");
    button.addEventListener("click", () => (isOpen(unit) ? hide(unit) : show(unit)));
  }
  for (const time of document.querySelectorAll("time")) localise(time);
  if (main.dataset.moving === "yes") waitForNews(POLL_FIRST_MS);

  function isOpen(unit) {
    return unit.querySelector(".show").getAttribute("aria-expanded") === "true";
  }

  async function show(unit) {
    const button = unit.querySelector(".show");
    button.disabled = true;
    name(button, texts.opening);
    complain(unit, "");
    try {
      const answer = await ask(unit.dataset.unit);
      fill(unit, answer.fields);
      noteView(unit, answer.views, answer.lastViewedAt);
      announce(texts.opened);
    } catch (problem) {
      complain(unit, texts["error_" + problem.message] || texts.error_unavailable);
    }
    button.disabled = false;
    name(button, isOpen(unit) ? texts.hide : texts.show);
  }

  function hide(unit) {
    const content = unit.querySelector(".content");
    content.replaceChildren();
    content.hidden = true;
    const button = unit.querySelector(".show");
    button.setAttribute("aria-expanded", "false");
    name(button, texts.show);
    announce(texts.hidden);
  }

  function name(button, verb) {
    button.querySelector(".verb").textContent = verb;
  }

  async function ask(unitId) {
    const keys = nacl.box.keyPair();
    const response = await post(`/d/${main.dataset.token}/units/${unitId}/reveal`, {
      recipient_public_key: encode(keys.publicKey),
    });
    if (!response.ok) throw new Error(await codeOf(response));
    const { box, views, last_viewed_at: lastViewedAt } = await response.json();
    const plain = nacl.box.open(decode(box.ciphertext), decode(box.nonce), decode(box.public_key), keys.secretKey);
    keys.secretKey.fill(0);
    if (plain === null) throw new Error("broken");
    try {
      return { fields: read(plain, unitId), views, lastViewedAt };
    } finally {
      plain.fill(0);
    }
  }

  async function post(path, body) {
    try {
      return await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        credentials: "omit",
        cache: "no-store",
        referrerPolicy: "no-referrer",
      });
    } catch {
      throw new Error("network");
    }
  }

  async function codeOf(response) {
    try {
      return (await response.json()).code;
    } catch {
      return response.status >= 500 ? "unavailable" : "broken";
    }
  }

  // The header must name the unit that was asked for; then JSON, then 0x80 and zeros.
  function read(plain, unitId) {
    const magic = String.fromCharCode(...plain.subarray(0, MAGIC.length));
    const unit = Array.from(plain.subarray(UNIT_AT, UNIT_AT + 16), (byte) => byte.toString(16).padStart(2, "0"));
    if (magic !== MAGIC || unit.join("") !== unitId.replaceAll("-", "")) throw new Error("broken");
    let end = plain.length - 1;
    while (end > HEADER_BYTES && plain[end] === 0) end -= 1;
    if (plain[end] !== PADDING_END) throw new Error("broken");
    return JSON.parse(new TextDecoder().decode(plain.subarray(HEADER_BYTES, end)));
  }

  function fill(unit, fields) {
    const content = unit.querySelector(".content");
    content.replaceChildren(...Object.entries(fields).map(([name, value]) => fieldOf(name, value)));
    content.hidden = false;
    unit.querySelector(".show").setAttribute("aria-expanded", "true");
  }

  function fieldOf(name, value) {
    const field = element("div", "field");
    const left = element("div", "field-text");
    const shown = valueOf(value);
    left.append(element("div", "field-name", texts["field_" + name] || name), shown);
    field.append(left);
    if (shown.tagName === "IMG") return field;
    const copy = element("button", "quiet", texts.copy);
    copy.type = "button";
    copy.addEventListener("click", () => copyText(copy, value));
    field.append(copy);
    return field;
  }

  function valueOf(value) {
    if (/^data:image\/(png|jpeg|gif|webp);base64,/.test(value)) {
      const image = element("img", "field-image");
      image.src = value;
      image.alt = texts.field_image;
      return image;
    }
    if (/^https?:\/\/[^\s]+$/.test(value)) {
      const link = element("a", "field-value", value);
      link.href = value;
      link.rel = "noopener noreferrer";
      link.target = "_blank";
      return link;
    }
    return element("div", "field-value", value);
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  async function copyText(button, value) {
    let told = texts.copied;
    try {
      await navigator.clipboard.writeText(value);
    } catch {
      told = texts.copy_failed;
    }
    announce(told);
    button.textContent = told === texts.copied ? told : texts.copy;
    setTimeout(() => { button.textContent = texts.copy; }, COPIED_SHOWN_MS);
  }

  function noteView(unit, views, at) {
    const time = element("time", "");
    time.dateTime = at;
    localise(time);
    const count = views === 1 ? texts.viewed_once : texts.viewed_many.replace("{count}", views);
    unit.querySelector(".viewed").replaceChildren(`${count} · ${texts.last_viewed} `, time);
  }

  function complain(unit, text) {
    const problem = unit.querySelector(".problem");
    problem.textContent = text;
    problem.hidden = !text;
  }

  function announce(text) {
    announcer.textContent = text;
  }

  function localise(time) {
    const moment = new Date(time.dateTime);
    time.textContent = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(moment);
  }

  async function waitForNews(pause) {
    await new Promise((done) => setTimeout(done, pause));
    try {
      const response = await fetch(`/d/${main.dataset.token}/progress`, { credentials: "omit", cache: "no-store" });
      if (response.ok && JSON.stringify((await response.json()).states) !== main.dataset.states) {
        location.reload();
        return;
      }
    } catch {
      // No connection: the next round asks again.
    }
    waitForNews(Math.min(pause * 1.5, POLL_MAX_MS));
  }

  function encode(bytes) {
    return btoa(String.fromCharCode(...bytes));
  }

  function decode(text) {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  }
})();
