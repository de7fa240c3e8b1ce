"""What buyers of a product bought with it."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kit.money import Money


@dataclass(frozen=True, slots=True)
class Completed:
    """An order that is over with something delivered, on that day (UTC)."""

    order_id: UUID
    day: date


@dataclass(frozen=True, slots=True)
class Rule:
    """Pairs count for so many days, and are shown from so many orders on."""

    window_days: int
    support_min: int


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`orders`: in how many orders of the window it was delivered together with what it is for."""

    product_id: UUID
    sku: str
    name: str
    price: Money
    orders: int
