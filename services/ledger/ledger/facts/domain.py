"""What events tell of orders, units, lots and claims. News of one thing are merged: unknown becomes
known, the earliest time stands; so it does not matter how often and in which order they come.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

NOWHERE = UUID(int=0)
"""In place of a lot, product or channel that there is none of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNews:
    """What one event says of an order."""

    order_id: UUID
    merchant_id: UUID
    channel_id: UUID | None = None
    buyer: str = ""
    buyer_group: str = ""
    currency: str | None = None
    total_minor: int | None = None
    placed_at: datetime | None = None
    paid_at: datetime | None = None
    delivered_at: datetime | None = None
    refunded_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def key(self) -> UUID:
        return self.order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class LotNews:
    lot_id: UUID
    merchant_id: UUID
    supplier: str
    imported_at: datetime
    expires_at: datetime | None

    @property
    def key(self) -> UUID:
        return self.lot_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNews:
    """A claim that was decided for the buyer."""

    claim_id: UUID
    merchant_id: UUID
    lot_id: UUID
    granted_at: datetime

    @property
    def key(self) -> UUID:
        return self.claim_id


News = TypeVar("News", OrderNews, LotNews, ClaimNews)


def merge(news: Iterable[News]) -> list[News]:
    """One per thing, so that one statement can write them; ordered, so that writers never
    deadlock.
    """
    merged: dict[UUID, News] = {}
    for each in news:
        known = merged.get(each.key)
        merged[each.key] = each if known is None else _merged(known, each)
    return [merged[key] for key in sorted(merged)]


def _merged(known: News, new: News) -> News:
    # Any: each field has its own type, and gets a value of it.
    values: dict[str, Any] = {}
    for field in fields(known):
        old, fresh = getattr(known, field.name), getattr(new, field.name)
        if isinstance(old, datetime) and isinstance(fresh, datetime):
            values[field.name] = min(old, fresh)
        else:
            values[field.name] = old or fresh
    return type(known)(**values)


@dataclass(frozen=True, slots=True)
class Given:
    """Units of one line that one lot gave, or what was bought of a supplier for the line alone."""

    lot_id: UUID
    quantity: int
    supplier: str = ""
    is_deferred: bool = False
    """An own voucher: sold when it is redeemed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldLine:
    """A delivered line. The lots may be fewer than its quantity: the rest came from no stock."""

    order_id: UUID
    line_id: UUID
    merchant_id: UUID
    channel_id: UUID
    product_id: UUID
    sku: str
    buyer_group: str
    quantity: int
    total_minor: int
    currency: str
    delivered_at: datetime
    given: Sequence[Given]

    def parts(self) -> list[tuple[Given, int]]:
        """What gave units, each lot once, and its share of the line's price, to the cent."""
        parts = self._by_lot()
        whole = sum(part.quantity for part in parts)
        if any(part.is_deferred for part in self.given):
            return [(part, 0) for part in parts]
        shared, seen, answer = 0, 0, []
        for part in parts:
            seen += part.quantity
            upto = self.total_minor * seen // whole if whole else self.total_minor
            answer.append((part, upto - shared))
            shared = upto
        return answer

    def _by_lot(self) -> list[Given]:
        quantities: dict[UUID, int] = {}
        supplier = ""
        for part in self.given:
            if part.lot_id == NOWHERE:
                supplier = supplier or part.supplier
            else:
                quantities[part.lot_id] = quantities.get(part.lot_id, 0) + part.quantity
        rest = self.quantity - sum(quantities.values())
        parts = [Given(lot_id, number) for lot_id, number in sorted(quantities.items())]
        if rest > 0 or not parts:
            parts.append(Given(NOWHERE, max(rest, 0), supplier))
        return parts
