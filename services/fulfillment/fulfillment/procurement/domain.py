"""Buying into stock: how much, of whom, and what may follow what.

planned -> buying -> arrived | partly | failed; awaiting_approval before that where a rule asks for
a person; unknown while a supplier cannot say what became of a purchase.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from fulfillment.arrivals.domain import UNITS_MAX
from fulfillment.purchases.domain import SETTLED, Purchase, PurchaseState
from fulfillment.routing.domain import Candidate
from kit.errors import Conflict, Invalid, NotFound
from kit.money import Money

PURCHASES_MAX = 20
"""Purchases of one procurement, tries included."""


class ProcurementState(StrEnum):
    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting_approval"
    BUYING = "buying"
    UNKNOWN = "unknown"
    ARRIVED = "arrived"
    PARTLY = "partly"
    FAILED = "failed"
    DECLINED = "declined"


ENDED = frozenset(
    {
        ProcurementState.ARRIVED,
        ProcurementState.PARTLY,
        ProcurementState.FAILED,
        ProcurementState.DECLINED,
    }
)


@dataclass(frozen=True, slots=True)
class Procurement:
    """`budget` is what it may cost in all; `spent` what it has."""

    id: UUID
    merchant_id: UUID
    pool_id: UUID
    quantity: int
    budget: Money
    requested_by: str
    state: ProcurementState = ProcurementState.PLANNED
    rule_id: UUID | None = None
    supplier_product_id: UUID | None = None
    budget_day: date | None = None
    spent_minor: int = 0
    bought: int = 0
    arrived: int = 0
    reason: str = ""
    generation: int = 0
    explanation: Mapping[str, Any] = field(default_factory=dict)
    decided_by: str | None = None
    decided_at: datetime | None = None
    lease_id: UUID | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def missing(self) -> int:
        return self.quantity - self.bought

    @property
    def left_minor(self) -> int:
        """What it may still spend."""
        return max(self.budget.amount_minor - self.spent_minor, 0)


def part_of(procurement: Procurement, offer: Candidate) -> int:
    """How many of this offer: what is missing, what the offer allows, what the money is enough
    for. 0: it is not to be bought of.
    """
    number = min(procurement.missing, UNITS_MAX)
    if offer.quantity_max is not None:
        number = min(number, offer.quantity_max)
    if offer.stock is not None:
        number = min(number, offer.stock)
    if offer.cost_max.amount_minor > 0:
        number = min(number, procurement.left_minor // offer.cost_max.amount_minor)
    return number if number >= offer.quantity_min else 0


def purchase_of(procurement: Procurement, offer: Candidate, quantity: int) -> Purchase:
    """The purchase of this many of this offer: its reference is the procurement's, and counts."""
    return Purchase(
        id=reference_of(procurement.id, procurement.generation),
        merchant_id=procurement.merchant_id,
        order_id=None,
        line_id=None,
        delivery_id=None,
        task_id=None,
        generation=procurement.generation,
        supplier=offer.supplier,
        supplier_sku=offer.supplier_sku,
        quantity=quantity,
        cost_max=offer.cost_max * quantity,
        procurement_id=procurement.id,
        pool_id=procurement.pool_id,
    )


def reference_of(procurement_id: UUID, generation: int) -> UUID:
    """One reference per purchase of a procurement, whatever offer it is of: so a repeat after a
    crash finds the one that was begun.
    """
    return uuid5(NAMESPACE_URL, f"lockstock:procurement:{procurement_id}/{generation}")


@dataclass(frozen=True, slots=True)
class Bought:
    """What the purchases of a procurement came to so far. `is_on_its_way`: codes were bought and
    the vault has not said yet what it made of them.
    """

    purchases: tuple[Purchase, ...]
    arrived: int
    is_on_its_way: bool

    @property
    def open(self) -> Purchase | None:
        return next((it for it in self.purchases if it.state not in SETTLED), None)

    @property
    def refused(self) -> frozenset[tuple[str, str]]:
        """Offers that said no."""
        return frozenset(
            (it.supplier, it.supplier_sku)
            for it in self.purchases
            if it.state is PurchaseState.FAILED
        )

    @property
    def last_reason(self) -> str:
        return next((it.reason for it in reversed(self.purchases) if it.reason), "")


def counted(procurement: Procurement, bought: Bought) -> Procurement:
    """With the figures of its purchases: they are what is true."""
    done = [it for it in bought.purchases if it.state is PurchaseState.DONE]
    return replace(
        procurement,
        bought=sum(it.quantity for it in done),
        spent_minor=sum(it.cost.amount_minor for it in done if it.cost),
        arrived=bought.arrived,
        generation=len(bought.purchases),
    )


def standing(procurement: Procurement, bought: Bought) -> Procurement:
    """While there is more to come."""
    purchase = bought.open
    is_unknown = purchase is not None and purchase.state in _UNDECIDED
    state = ProcurementState.UNKNOWN if is_unknown else ProcurementState.BUYING
    return replace(procurement, state=state, reason=purchase.reason if purchase else "")


def ended(procurement: Procurement, reason: str, now: datetime) -> Procurement:
    """When nothing more comes."""
    if procurement.arrived >= procurement.quantity:
        return replace(procurement, state=ProcurementState.ARRIVED, reason="", ended_at=now)
    some = procurement.arrived > 0
    state = ProcurementState.PARTLY if some else ProcurementState.FAILED
    return replace(procurement, state=state, reason=reason, ended_at=now)


def can_go_on(procurement: Procurement) -> bool:
    """Whether more may be bought for it."""
    return procurement.missing > 0 and procurement.generation < PURCHASES_MAX


_UNDECIDED = frozenset({PurchaseState.UNKNOWN, PurchaseState.MANUAL})


class RuleBusy(Conflict):
    """The rule has a procurement that is not at its end yet."""

    code = "procurement_rule_busy"


class ProcurementNotFound(NotFound):
    """There is no such procurement, or it is not yours."""

    code = "procurement_not_found"


class NotAwaiting(Conflict):
    """It does not wait for a decision; read it to see its state."""

    code = "procurement_not_awaiting"


class NoOffer(Conflict):
    """Nothing can be bought for this pool now; `offers` says why not of each offer. Set one up at
    /v1/supplier-products.
    """

    code = "no_offer"


class OfferNotForPool(Invalid):
    """This offer is none of the pool's; see /v1/supplier-products?pool_id=."""

    code = "offer_not_for_pool"


class BudgetSpent(Conflict):
    """The pool's budget of today is not enough; `left_minor` is what is left of it."""

    code = "budget_spent"


class BudgetCurrency(Invalid):
    """The pool is bought for in another currency; amounts are never converted."""

    code = "budget_currency"
