// A shop may want a one-time code before the first code is shown. The proof of it lives in this
// script's memory only: a reload asks again.
import { announce, button, element, main, say, texts } from "./dom.js";
import { post } from "./wire.js";

const RESEND_SECONDS = 60;

let proof = null;
let asking = null; // many codes that open at once wait for the same answer

export function proofHeaders() {
  return proof ? { "Lockstock-Proof": proof } : {};
}

// Whether somebody has shown the code; false when they gave up.
export function proven() {
  proof = null;
  asking ??= new Asking().answer.finally(() => { asking = null; });
  return asking;
}

class Asking {
  constructor() {
    this.answer = new Promise((answer) => { this.end = answer; });
    this.problem = element("p", "problem");
    this.problem.setAttribute("role", "alert");
    this.problem.hidden = true;
    this.send = button("", texts.step_up_send, () => this.sendCode());
    this.dialog = this.drawn();
    main.append(this.dialog);
    this.dialog.addEventListener("close", () => this.close());
    this.dialog.showModal();
  }

  drawn() {
    const dialog = element("dialog", "step-up");
    const heading = element("h2", "", texts.step_up_title);
    heading.id = "step-up-title";
    dialog.setAttribute("aria-labelledby", heading.id);
    this.words = element("p", "", texts.step_up_why);
    this.form = this.codeForm();
    const later = button("as-link", texts.cancel, () => dialog.close());
    dialog.append(heading, this.words, this.form, this.problem, element("div", "actions", this.send, later));
    return dialog;
  }

  codeForm() {
    const form = element("form", "code-form");
    this.input = element("input");
    Object.assign(this.input, { id: "one-time-code", inputMode: "numeric", autocomplete: "one-time-code", maxLength: 12, required: true });
    const label = element("label", "", texts.step_up_label);
    label.htmlFor = this.input.id;
    const confirm = element("button", "", texts.step_up_confirm);
    confirm.type = "submit";
    form.append(label, element("div", "code-row", this.input, confirm));
    form.hidden = true;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.confirm(confirm);
    });
    return form;
  }

  async sendCode() {
    this.send.disabled = true;
    this.complain("");
    try {
      const { valid_seconds: seconds } = await post("step-up", {});
      this.words.textContent = say(texts.step_up_sent, { minutes: Math.round(seconds / 60) });
      announce(this.words.textContent);
      this.form.hidden = false;
      this.send.className = "quiet";
      this.input.focus();
      this.countDown(RESEND_SECONDS);
    } catch (problem) {
      this.complain(problem.words);
      this.send.disabled = false;
    }
  }

  countDown(seconds) {
    this.send.textContent = seconds > 0 ? say(texts.step_up_wait, { seconds }) : texts.step_up_again;
    this.send.disabled = seconds > 0;
    if (seconds > 0) this.timer = setTimeout(() => this.countDown(seconds - 1), 1000);
  }

  async confirm(by) {
    by.disabled = true;
    this.complain("");
    try {
      ({ proof } = await post("step-up/confirm", { code: this.input.value.replace(/\s/g, "") }));
      this.dialog.close();
    } catch (problem) {
      this.complain(problem.words);
      this.input.select();
    }
    by.disabled = false;
  }

  complain(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
  }

  close() {
    clearTimeout(this.timer);
    this.dialog.remove();
    this.end(proof !== null);
  }
}
