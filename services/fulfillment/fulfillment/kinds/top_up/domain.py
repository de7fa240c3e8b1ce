"""Of which supplier a line is topped up: the next of a list, or the best at this moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fulfillment.deliveries.domain import Delivery, Failed, Offer
from fulfillment.purchases.domain import Purchase, plan, plan_best
from fulfillment.routing.domain import OfferKey, Ranked, rank
from fulfillment.supplier_products.domain import Known, candidate_within

NO_OFFER = "no_offer"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be bought now; `has_next`: somebody else could be asked after it."""

    purchase: Purchase
    has_next: bool


def listed(delivery: Delivery, generation: int) -> Choice:
    """The offer whose turn it is."""
    offers = _offers(delivery)
    purchase = plan(delivery, offers[generation], generation)
    return Choice(purchase, has_next=generation + 1 < len(offers))


def best(
    delivery: Delivery,
    generation: int,
    tried: Sequence[Purchase],
    known: Mapping[OfferKey, Known],
    now: datetime,
) -> Choice | Failed:
    """The best offer that has not said no. What was begun in this generation stays, whatever would
    be best by now. `Failed`: there is none, and each that was left says why.
    """
    ranked = _ranked(delivery, tried, known, now)
    begun = next((it for it in tried if it.generation == generation), None)
    if begun is not None:
        return Choice(begun, has_next=bool(ranked.order))
    if not ranked.order:
        return _none(delivery, tried, ranked)
    first = ranked.order[0]
    offer = Offer(first.supplier, first.supplier_sku, first.cost_max)
    purchase = plan_best(delivery, offer, generation, ranked.explanation)
    return Choice(purchase, has_next=len(ranked.order) > 1)


def keys_of(delivery: Delivery) -> list[OfferKey]:
    """What must be known to choose for it."""
    return [(delivery.merchant_id, it.supplier, it.supplier_sku) for it in _offers(delivery)]


def _ranked(
    delivery: Delivery,
    tried: Sequence[Purchase],
    known: Mapping[OfferKey, Known],
    now: datetime,
) -> Ranked:
    used = {(it.supplier, it.supplier_sku) for it in tried}
    candidates = [
        candidate_within(it.supplier, it.supplier_sku, it.cost_max, known.get(key, Known()))
        for it, key in zip(_offers(delivery), keys_of(delivery), strict=True)
        if key[1:] not in used
    ]
    currency = _offers(delivery)[0].cost_max.currency
    quantity = delivery.line.quantity
    return rank(candidates, currency=currency, quantity=quantity, now=now, is_whole=True)


def _none(delivery: Delivery, tried: Sequence[Purchase], ranked: Ranked) -> Failed:
    refused = [(it.supplier, it.reason) for it in tried]
    barred = [(it["supplier"], it["why_not"]) for it in ranked.explanation]
    reason = refused[-1][1] if refused else NO_OFFER
    return Failed(delivery.id, reason, (*refused, *barred))


def _offers(delivery: Delivery) -> tuple[Offer, ...]:
    terms = delivery.line.top_up
    assert terms is not None, f"line {delivery.line.line_id} has no terms"
    return terms.offers
