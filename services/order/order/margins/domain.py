"""The margin floor: what a line must bring at least, given what its units cost.

A stated cost is a floor by itself: nothing is sold below it unless somebody with the right says so.
A floor rule asks for more, and for pools looks up what their units cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from kit.errors import Conflict
from kit.money import Money, share_out
from order.catalogue.domain import (
    BundleFulfillment,
    ManualFulfillment,
    PoolFulfillment,
    Product,
    TopUpFulfillment,
)
from order.merchants.domain import NO_FEE, Channel, FeeBearer
from order.orders.domain import Change
from order.price_rules.domain import WHOLE, FloorTerms, Rule
from order.prices.domain import PricedLine
from order.unit_prices.domain import Facts

AT_COST = FloorTerms()


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A line that would bring less than its floor, after the channel's fee."""

    line_no: int
    sku: str
    brings: int
    floor: int
    currency: str
    rule: Rule | None

    @property
    def document(self) -> dict[str, object]:
        told: dict[str, object] = {
            "line_no": self.line_no,
            "sku": self.sku,
            "brings": self.brings,
            "floor": self.floor,
            "currency": self.currency,
        }
        if self.rule is not None:
            told |= {"rule_id": str(self.rule.id), "version": self.rule.version}
        return told


Costs = Mapping[str, Money]
"""What one unit costs, by SKU; products whose cost nobody knows are absent."""


def stated_costs(products: Mapping[str, Product]) -> dict[str, Money]:
    """As the products say it: their own cost, or the most that a supplier may ask for."""
    costs: dict[str, Money] = {}
    for sku, product in products.items():
        cost = product.cost or _offered(product)
        if cost is not None:
            costs[sku] = cost
    return costs


def _offered(product: Product) -> Money | None:
    match product.fulfillment:
        case TopUpFulfillment(_, offers):
            fitting = [it.cost_max for it in offers if it.cost_max.currency == _currency(product)]
            return max(fitting, key=lambda it: it.amount_minor, default=None)
        case PoolFulfillment() | ManualFulfillment() | BundleFulfillment():
            return None
        case _:
            assert_never(product.fulfillment)


def with_bundles(products: Mapping[str, Product], costs: Costs) -> Costs:
    """A bundle costs what its components cost; unknown as long as one of theirs is."""
    found = dict(costs)
    for sku, product in products.items():
        bundle = product.fulfillment
        if not isinstance(bundle, BundleFulfillment) or sku in found:
            continue
        parts = [(costs.get(part.sku), part.quantity) for part in bundle.components]
        known = [(cost, quantity) for cost, quantity in parts if cost is not None]
        if len(known) == len(parts) and {it.currency for it, _ in known} == {_currency(product)}:
            whole = sum(cost.amount_minor * quantity for cost, quantity in known)
            found[sku] = Money(whole, _currency(product))
    return found


def _currency(product: Product) -> str:
    return product.price.currency


def shortfalls(
    lines: Sequence[PricedLine],
    costs: Costs,
    floors: Sequence[Rule],
    facts: Facts,
    channel: Channel,
) -> list[Shortfall]:
    """The lines below their floor. What costs nothing that is known has none."""
    fees = _fees(lines, channel)
    about = facts.channel_id, facts.groups, facts.now
    floors = [rule for rule in floors if rule.scope.holds(*about)]
    found: list[Shortfall] = []
    for line, fee in zip(lines, fees, strict=True):
        cost = costs.get(line.product.sku)
        if cost is None or cost.currency != line.total.currency:
            continue
        rule = _floor_of(floors, line.product, cost.amount_minor)
        terms = rule.terms if rule else AT_COST
        assert isinstance(terms, FloorTerms)
        floor = terms.floor(cost.amount_minor) * line.quantity
        brings = line.total.amount_minor - fee
        if brings < floor:
            sku, currency = line.product.sku, line.total.currency
            found.append(Shortfall(line.line_no, sku, brings, floor, currency, rule))
    return found


def _fees(lines: Sequence[PricedLine], channel: Channel) -> list[int]:
    """What the channel keeps of each line, when the merchant bears it; rounded up. An order that
    costs nothing bears no fee.
    """
    fee, totals = channel.fee, [line.total.amount_minor for line in lines]
    if fee.bearer is not FeeBearer.MERCHANT or fee == NO_FEE or not any(totals):
        return [0] * len(lines)
    fixed = share_out(fee.fixed_minor, totals)
    return [
        -(-total * fee.basis_points // WHOLE) + part
        for total, part in zip(totals, fixed, strict=True)
    ]


def _floor_of(floors: Sequence[Rule], product: Product, cost: int) -> Rule | None:
    """By priority, then the more specific, then the higher floor, then the id."""
    best: tuple[tuple[object, ...], Rule] | None = None
    for rule in floors:
        terms = rule.terms
        assert isinstance(terms, FloorTerms)
        if terms.skus and product.sku not in terms.skus:
            continue
        if not rule.fits(_currency(product)):
            continue
        specific = rule.scope.specificity + bool(terms.skus)
        rank = (-rule.priority, -specific, -terms.floor(cost), rule.id)
        if best is None or rank < best[0]:
            best = (rank, rule)
    return best[1] if best else None


def told_below_floor(change: Change, below: Sequence[Shortfall], reason: str) -> Change:
    """Somebody with the right to it sold below the floor: who and why stays with the order."""
    return change.told(
        "sold_below_floor",
        f"{len(below)} line(s) below their margin floor: {reason}",
        reason=reason,
        lines=[it.document for it in below],
    )


class BelowMarginFloor(Conflict):
    """Lines would bring less than their floor; `lines` says which and by how much. Raise the price,
    or say `allow_below_cost` with a reason and the scope `prices:override`.
    """

    code = "below_margin_floor"
