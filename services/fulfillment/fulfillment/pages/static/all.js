// Many codes at once: shown, copied or saved, each opened and logged as if it were clicked.
import { announce, element, main, say, texts } from "./dom.js";
import { openCode } from "./codes.js";
import { copyText, isImage } from "./fields.js";
import { get } from "./wire.js";
import { fieldsShown, fill, isOpen } from "./unit.js";

const AT_ONCE = 4;
const TRIES_MAX = 6;

export function wireTools(tools) {
  const work = new Work(tools);
  for (const button of tools.querySelectorAll("[data-do]")) {
    button.disabled = false;
    button.addEventListener("click", () => work.begin(button.dataset.do, button));
  }
}

class Work {
  constructor(tools) {
    this.tools = tools;
    this.line = tools.closest(".line");
    this.news = tools.querySelector(".tools-news");
    this.ready = null; // everything, opened, for a second press where the first could not copy
    this.isStopped = false;
  }

  async begin(what, button) {
    if (what === "stop") {
      this.isStopped = true;
      return;
    }
    this.isStopped = false;
    this.lock(true);
    try {
      const lines = what === "show" ? await this.openShown() : await this.openLine();
      if (what === "copy") await this.copy(button, lines);
      if (what === "save") this.save(lines);
      if (what === "show") this.tell("");
    } catch (problem) {
      this.tell(this.isStopped ? texts.stopped : problem.words || texts.error_broken);
    }
    this.lock(false);
  }

  lock(isBusy) {
    for (const button of this.tools.querySelectorAll("[data-do]")) {
      button.disabled = isBusy !== (button.dataset.do === "stop");
    }
    this.tools.classList.toggle("busy", isBusy);
  }

  async openShown() {
    return this.openAll([...this.line.querySelectorAll(".unit:not(.gone)")].map((unit) => unit.dataset.unit));
  }

  // The whole line, also what other parts of the page show.
  async openLine() {
    if (this.ready) return this.ready;
    const ids = [];
    for (let part = 1; part <= Number(main.dataset.parts); part += 1) {
      const found = await get(`units?part=${part}`);
      ids.push(...found.units.filter((it) => it.delivery_id === this.line.dataset.delivery).map((it) => it.unit_id));
    }
    this.ready = await this.openAll(ids);
    return this.ready;
  }

  async openAll(ids) {
    const lines = new Array(ids.length);
    let next = 0;
    let done = 0;
    const worker = async () => {
      while (next < ids.length) {
        const at = next;
        next += 1;
        lines[at] = asLine(await this.openOne(ids[at]));
        done += 1;
        this.progress(done, ids.length);
      }
    };
    this.progress(0, ids.length);
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    announce(say(texts.all_opened, { count: ids.length }));
    return lines;
  }

  async openOne(id) {
    const unit = this.line.querySelector(`.unit[data-unit="${id}"]`);
    if (unit && isOpen(unit)) return fieldsShown(unit);
    for (let tries = 1; ; tries += 1) {
      if (this.isStopped) throw new Error("stopped");
      try {
        const answer = await openCode(id);
        if (unit) fill(unit, answer);
        return answer.fields;
      } catch (problem) {
        const isPassing = ["network", "unavailable", "peer_silent", "too_many_reveals"].includes(problem.message);
        if (!isPassing || tries >= TRIES_MAX) {
          this.isStopped = true; // the others need not go on
          setTimeout(() => { this.isStopped = false; });
          throw problem;
        }
        await new Promise((passed) => setTimeout(passed, 1000 * (problem.retryAfter || tries)));
      }
    }
  }

  async copy(button, lines) {
    // A browser may refuse when the tap is long ago; the second tap needs no waiting.
    const isCopied = await copyText(button, lines.join("\n"));
    this.tell(isCopied ? "" : texts.copy_again);
    if (isCopied) this.ready = null;
  }

  save(lines) {
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/plain" }));
    link.download = `${main.dataset.reference.replace(/[^\w.-]+/g, "_")}.txt`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    this.ready = null;
    this.tell("");
    announce(texts.saved);
  }

  progress(done, count) {
    const bar = this.news.querySelector("progress");
    bar.max = count;
    bar.value = done;
    bar.hidden = false;
    this.news.querySelector(".tools-words").textContent = say(texts.opening_all, { done, count });
    this.news.querySelector("[data-do=stop]").hidden = false;
    this.news.hidden = false;
  }

  tell(text) {
    this.news.querySelector("progress").hidden = true;
    this.news.querySelector("[data-do=stop]").hidden = true;
    this.news.querySelector(".tools-words").textContent = text;
    this.news.hidden = !text;
    if (text) announce(text);
  }
}

// One line of text for one unit; a picture cannot be one.
function asLine(fields) {
  return Object.values(fields).map((value) => (isImage(value) ? texts.field_image : value)).join("\t");
}
