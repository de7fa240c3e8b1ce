// A code that does not work: reported in two taps; what becomes of it stands beside it.
import { announce, button, element, texts } from "./dom.js";
import { keepWatching } from "./live.js";
import { post } from "./wire.js";

const REASONS = ["invalid", "used", "wrong_product", "other"];
const NOTE_LENGTH_MAX = 500;

export function wireReport(unit) {
  const open = unit.querySelector(".report");
  if (!open) return;
  open.addEventListener("click", () => new Report(unit, open).show());
  open.disabled = false;
}

class Report {
  constructor(unit, opener) {
    this.unit = unit;
    this.opener = opener;
    this.problem = element("p", "problem");
    this.problem.setAttribute("role", "alert");
    this.problem.hidden = true;
    this.submit = element("button", "", texts.claim_send);
    this.submit.type = "submit";
    this.form = this.drawn();
  }

  show() {
    this.opener.hidden = true;
    this.unit.append(this.form);
    this.form.querySelector("input").focus();
  }

  hide() {
    this.form.remove();
    this.opener.hidden = false;
    this.opener.focus();
  }

  drawn() {
    const form = element("form", "report-form");
    const reasons = element("fieldset", "", element("legend", "", texts.claim_ask), ...REASONS.map((it) => this.choice(it)));
    this.note = element("textarea");
    Object.assign(this.note, { id: `note-${this.unit.dataset.unit}`, maxLength: NOTE_LENGTH_MAX, rows: 2 });
    const label = element("label", "", texts.claim_note);
    label.htmlFor = this.note.id;
    const cancel = button("as-link", texts.cancel, () => this.hide());
    form.append(reasons, label, this.note, this.problem, element("div", "actions", this.submit, cancel));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(new FormData(form).get("reason"));
    });
    return form;
  }

  choice(reason) {
    const input = element("input");
    Object.assign(input, { type: "radio", name: "reason", value: reason, required: true });
    return element("label", "choice", input, element("span", "", texts["claim_reason_" + reason]));
  }

  async send(reason) {
    this.submit.disabled = true;
    this.problem.hidden = true;
    try {
      const note = this.note.value.trim();
      await post("claims", { unit_id: this.unit.dataset.unit, reason, ...(note ? { note } : {}) });
      this.form.remove();
      this.opener.remove();
      this.unit.dataset.claim = "opened";
      this.unit.querySelector(".unit-foot").after(element("p", "claim claim-opened", texts.claim_opened));
      announce(texts.claim_opened);
      keepWatching();
    } catch (problem) {
      this.problem.textContent = problem.words || texts.error_broken;
      this.problem.hidden = false;
      this.submit.disabled = false;
    }
  }
}
