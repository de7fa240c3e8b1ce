// What goes well with it: asked for when the page stands, and nothing waits for the answer.
import { element, main, texts } from "./dom.js";
import { get } from "./wire.js";

export async function showOffers() {
  const place = document.getElementById("offers");
  if (!place) return;
  let found;
  try {
    found = await get("recommendations");
  } catch {
    return; // an extra: its absence is no message
  }
  if (found.items.length === 0) return;
  const heading = element("h2", "", texts.offers);
  const list = element("ul", "offers", ...found.items.map(offer));
  place.replaceChildren(heading, list);
}

function offer(item) {
  const price = element("span", "offer-price", priceOf(item.price));
  if (!item.url) return element("li", "", element("span", "offer", element("span", "", item.name), price));
  const link = element("a", "offer", element("span", "", item.name), price);
  link.href = item.url;
  link.rel = "noopener noreferrer";
  link.target = "_blank";
  return element("li", "", link);
}

function priceOf({ amount, currency }) {
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency, currencyDisplay: "narrowSymbol" });
  const digits = format.resolvedOptions().maximumFractionDigits;
  return format.format(amount / 10 ** digits);
}
