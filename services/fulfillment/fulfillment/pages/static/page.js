// The entrance: wires what the server has drawn. No code is ever in HTML, in an address or in storage.
import { localise, main } from "./dom.js";
import { wireUnit } from "./unit.js";
import { wireTools } from "./all.js";
import { watch } from "./live.js";
import { showOffers } from "./offers.js";
import { wireReport } from "./report.js";

export function wire(part) {
  for (const time of part.querySelectorAll("time")) localise(time);
  for (const unit of part.querySelectorAll(".unit:not(.gone)")) {
    wireUnit(unit);
    wireReport(unit);
  }
  for (const tools of part.querySelectorAll(".tools")) wireTools(tools);
}

wire(main);
watch(wire);
showOffers();
