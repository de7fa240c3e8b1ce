// An opened code as people see it: its fields, copying, the QR code, the picture.
import { announce, button, element, texts } from "./dom.js";
import { qrPicture } from "./qr.js";

const DONE_SHOWN_MS = 1600;
const IMAGE = /^data:image\/(png|jpeg|gif|webp);base64,/;
const LINK = /^https?:\/\/[^\s]+$/;

export function fieldsOf(fields) {
  const names = Object.keys(fields);
  return names.map((name) => fieldOf(name, fields[name], names.length > 1));
}

export function isImage(value) {
  return IMAGE.test(value);
}

function fieldOf(name, value, isOneOfMany) {
  const field = element("div", "field");
  const label = element("div", "field-name", texts["field_" + name] || name);
  if (!isOneOfMany && name === "code") label.classList.add("only-read");
  field.append(label, shown(value), actions(value));
  return field;
}

function shown(value) {
  if (isImage(value)) {
    const image = element("img", "field-image");
    image.src = value;
    image.alt = texts.field_image;
    return image;
  }
  return element("div", "field-value", value);
}

function actions(value) {
  const row = element("div", "actions");
  if (isImage(value)) {
    row.append(saving(value));
    return row;
  }
  if (LINK.test(value)) row.append(opening(value));
  const copy = button("copy", texts.copy, () => copyText(copy, value));
  if (LINK.test(value)) copy.classList.add("quiet");
  const picture = qrPicture(value, texts.qr_label);
  row.append(copy);
  if (picture !== null) row.append(qrButton(row, picture));
  return row;
}

function opening(value) {
  const link = element("a", "as-button", texts.open_link);
  link.href = value;
  link.rel = "noopener noreferrer";
  link.target = "_blank";
  return link;
}

function saving(value) {
  const link = element("a", "as-button", texts.save_image);
  link.href = value;
  link.download = `image.${IMAGE.exec(value)[1]}`;
  return link;
}

function qrButton(row, picture) {
  const frame = element("div", "qr-frame", picture, element("p", "", texts.qr_hint));
  const toggle = button("qr quiet", texts.qr, () => {
    const isOpen = frame.isConnected;
    if (isOpen) frame.remove();
    else row.after(frame);
    toggle.setAttribute("aria-expanded", String(!isOpen));
  });
  toggle.setAttribute("aria-expanded", "false");
  return toggle;
}

export async function copyText(by, value) {
  const verb = by.textContent;
  let told = texts.copied;
  try {
    await navigator.clipboard.writeText(value);
  } catch {
    told = texts.copy_failed;
  }
  announce(told);
  if (told !== texts.copied) return false;
  by.textContent = told;
  by.classList.add("done");
  setTimeout(() => {
    by.textContent = verb;
    by.classList.remove("done");
  }, DONE_SHOWN_MS);
  return true;
}
