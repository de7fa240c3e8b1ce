"""What of ours can be bought as what of a supplier's, and whether it may be bought now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from fulfillment.connector import Article
from fulfillment.routing.domain import Candidate, Record
from kit.errors import Conflict, Invalid, NotFound
from kit.money import Money

COST_ABOVE_CEILING = "cost_above_ceiling"
COST_DRIFTED = "cost_drifted"
NOT_LISTED = "not_listed"
OTHER_CURRENCY = "other_currency"
_WHOLE = 10_000
STOCK_MAX = 2**31 - 1
"""What a supplier says to have no end of: more than anybody buys, and as much as is kept."""
SHRUNK_PERCENT = 50
"""A list with fewer of our articles than this share of the last one is not believed."""


@dataclass(frozen=True, slots=True)
class SupplierProduct:
    """`cost` is what the supplier's list said last, `landed` with everything on top; `cost_max` is
    the ceiling for the latter. Amounts are for one, in `currency`.
    """

    id: UUID
    merchant_id: UUID
    supplier: str
    supplier_sku: str
    currency: str
    cost_max_minor: int
    sku: str | None = None
    pool_id: UUID | None = None
    cost_minor: int | None = None
    stock: int | None = None
    seen_at: datetime | None = None
    fee_minor: int = 0
    fee_basis_points: int = 0
    cost_accepted_minor: int | None = None
    drift_max_basis_points: int | None = None
    priority: int = 0
    quantity_min: int = 1
    quantity_max: int | None = None
    is_active: bool = True
    paused_reason: str = ""
    paused_at: datetime | None = None
    created_at: datetime | None = None

    @property
    def landed_minor(self) -> int:
        """With fees, rounded up. What was never seen is taken to cost what it may."""
        if self.cost_minor is None:
            return self.cost_max_minor
        return self.with_fees(self.cost_minor)

    def with_fees(self, cost_minor: int) -> int:
        """What one lands at that the supplier takes so much for, rounded up."""
        return cost_minor + -(-cost_minor * self.fee_basis_points // _WHOLE) + self.fee_minor

    @property
    def net_max_minor(self) -> int:
        """What the supplier may take, so that with fees the ceiling is kept."""
        net = (self.cost_max_minor - self.fee_minor) * _WHOLE // (_WHOLE + self.fee_basis_points)
        return max(net, 0)


@dataclass(frozen=True, slots=True)
class Sync:
    """What an account was seen to have, and when it is looked at again."""

    supplier_id: UUID
    merchant_id: UUID
    supplier: str
    balance: Money | None = None
    balance_at: datetime | None = None
    articles: int | None = None
    listed_at: datetime | None = None
    reason: str = ""
    failures: int = 0
    lease_id: UUID | None = None


def seen(product: SupplierProduct, article: Article) -> SupplierProduct:
    """As the list says now, paused or going on as that calls for."""
    if article.cost.currency != product.currency:
        return replace(product, paused_reason=OTHER_CURRENCY)
    stock = None if article.stock is None else min(article.stock, STOCK_MAX)
    now = replace(product, cost_minor=article.cost.amount_minor, stock=stock)
    return guarded(now)


def guarded(product: SupplierProduct) -> SupplierProduct:
    """Paused while it costs more than it may or moved too far at once; else going on, and its
    price is what the next one is held against.
    """
    if product.cost_minor is None:
        return replace(product, paused_reason="")
    if product.landed_minor > product.cost_max_minor:
        return replace(product, paused_reason=COST_ABOVE_CEILING)
    if _drifted(product):
        return replace(product, paused_reason=COST_DRIFTED)
    return replace(product, paused_reason="", cost_accepted_minor=product.cost_minor)


def _drifted(product: SupplierProduct) -> bool:
    if product.drift_max_basis_points is None or product.cost_accepted_minor is None:
        return False
    moved = abs((product.cost_minor or 0) - product.cost_accepted_minor)
    return moved * _WHOLE > product.cost_accepted_minor * product.drift_max_basis_points


def why_unbelievable(
    products: Sequence[SupplierProduct], articles: Mapping[str, Article], sync: Sync
) -> str:
    """Why a whole list is not believed: what it would do to all offers at once must not happen
    because a supplier's page is broken. Empty: it is.
    """
    if not articles:
        return "list_empty" if products else ""
    if any(article.cost.amount_minor <= 0 for article in articles.values()):
        return "list_has_no_prices"
    if sync.articles and len(articles) * 100 < sync.articles * SHRUNK_PERCENT:
        return "list_shrunk"
    told = [article.stock for article in articles.values()]
    had_stock = any(product.stock for product in products if product.supplier_sku in articles)
    if len(told) > 1 and had_stock and all(stock == 0 for stock in told):
        return "list_all_sold_out"
    return ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an offer; `product` is None where nobody set it up here."""

    product: SupplierProduct | None = None
    record: Record = field(default_factory=Record)
    balance: Money | None = None
    is_circuit_open: bool = False


def candidate_of(product: SupplierProduct, known: Known) -> Candidate:
    """As the router sees it."""
    return Candidate(
        supplier=product.supplier,
        supplier_sku=product.supplier_sku,
        landed=Money(product.landed_minor, product.currency),
        limit=Money(product.cost_max_minor, product.currency),
        cost_max=Money(product.net_max_minor, product.currency),
        record=known.record,
        priority=product.priority,
        quantity_min=product.quantity_min,
        quantity_max=product.quantity_max,
        stock=product.stock,
        balance=known.balance,
        seen_at=product.seen_at,
        is_circuit_open=known.is_circuit_open,
        why_not=product.paused_reason or ("" if product.is_active else "not_active"),
    )


def candidate_within(supplier: str, supplier_sku: str, cost_max: Money, known: Known) -> Candidate:
    """The same for who agreed to pay its supplier `cost_max` for one: the lower of the two limits
    holds. What nobody set up here is taken to cost what it may.
    """
    product = known.product
    if product is None:
        return Candidate(
            supplier,
            supplier_sku,
            landed=cost_max,
            limit=cost_max,
            cost_max=cost_max,
            record=known.record,
            balance=known.balance,
            is_circuit_open=known.is_circuit_open,
        )
    own = candidate_of(product, known)
    if product.currency != cost_max.currency:
        return replace(own, why_not=own.why_not or OTHER_CURRENCY)
    most = min(product.net_max_minor, cost_max.amount_minor)
    cost = most if product.cost_minor is None else product.cost_minor
    return replace(
        own,
        landed=Money(product.with_fees(cost), product.currency),
        limit=Money(product.with_fees(most), product.currency),
        cost_max=Money(most, product.currency),
    )


def next_sync(failures: int, every: timedelta) -> timedelta:
    """Broken lists are looked at again sooner, but not in a hurry."""
    return min(every, timedelta(seconds=30 * 2 ** min(failures - 1, 6))) if failures else every


class SupplierProductNotFound(NotFound):
    """There is no such offer, or it is not yours."""

    code = "supplier_product_not_found"


class SupplierProductTaken(Conflict):
    """This article of this supplier is set up already; change that one."""

    code = "supplier_product_taken"


class OfferIsNothing(Invalid):
    """Say what it is here: send `sku`, `pool_id` or both."""

    code = "offer_is_nothing"


class OfferQuantities(Invalid):
    """`quantity_max` may not be below `quantity_min`."""

    code = "offer_quantities"


class OfferOfUnknownSupplier(Invalid):
    """You have no account with a supplier of this name; set it up first."""

    code = "offer_of_unknown_supplier"
