"""What a buyer holds, over all orders, and the page that shows it to the buyer."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

EXPIRING_DAYS = 7
UNITS_PER_PAGE = 100


class HoldingState(StrEnum):
    """One for each unit: `expiring` is what can still be used, for seven days at most."""

    UNOPENED = "unopened"
    OPENED = "opened"
    EXPIRING = "expiring"
    REDEEMED = "redeemed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Holding:
    """A unit that belongs to a buyer. What was replaced or paid back is not held any more."""

    unit_id: UUID
    mask: str
    sku: str
    name: str
    lot_id: UUID
    order_id: UUID
    reference: str
    delivery_id: UUID
    state: HoldingState
    position: int
    copy_no: int
    page_id: UUID
    page_ends_at: datetime
    delivered_at: datetime
    expires_at: datetime | None
    opened_at: datetime | None
    redeemed_at: datetime | None

    @property
    def place(self) -> tuple[UUID, int, int]:
        """Where it stands in the list."""
        return self.delivery_id, self.position, self.copy_no


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose page of holdings it is."""

    merchant_id: UUID
    customer_id: str


@dataclass(frozen=True, slots=True)
class HoldingsPage:
    """What the buyer sees: each unit with the address of its order's page, while that works."""

    token: str
    holdings: tuple[tuple[Holding, str | None], ...]
    ends_at: datetime
    next_cursor: str | None
