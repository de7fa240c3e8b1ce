"""Bought codes on their way into the vault: sealed for it, kept here until it has them.

sealed -> stored (the vault has the lot; the boxes are dropped) | refused (it took none of them) |
resealing (sealed for a key that is no more: the supplier is asked for the codes again).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5

from kit.money import Money

UNITS_MAX = 5_000
"""Codes in one purchase: what the vault takes in one call."""
PAUSES = tuple(timedelta(seconds=s) for s in (1, 2, 5, 15, 30, 60))


class ArrivalState(StrEnum):
    SEALED = "sealed"
    STORED = "stored"
    REFUSED = "refused"
    RESEALING = "resealing"


@dataclass(frozen=True, slots=True)
class SealingKey:
    """What boxes for the vault are sealed to. Public."""

    key_id: UUID
    public_key: bytes


@dataclass(frozen=True, slots=True)
class SealedUnit:
    unit_id: UUID
    nonce: bytes
    ciphertext: bytes
    cost_minor: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class SealedLot:
    """Units sealed with one ephemeral key pair, in the order they will be sold in."""

    lot_id: UUID
    key_id: UUID
    public_key: bytes
    units: tuple[SealedUnit, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """What codes were bought as. `pool_id` is None while nobody has said where they belong;
    `waiter_id` is who waits for them. `wanted`: how many should have come.
    """

    purchase_id: UUID
    merchant_id: UUID
    pool_id: UUID | None
    waiter_id: UUID | None
    supplier: str
    supplier_sku: str
    wanted: int
    cost: Money
    procurement_id: UUID | None = None
    order_id: UUID | None = None
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Sealed:
    """Codes that came and are in their boxes, ready to be written down."""

    origin: Origin
    lot: SealedLot


@dataclass(frozen=True, slots=True)
class Arrival:
    """A lot as it lies here; `lot.units` are empty once the vault has them."""

    origin: Origin
    lot: SealedLot
    state: ArrivalState = ArrivalState.SEALED
    tries: int = 0
    lease_id: UUID | None = None

    @property
    def unit_cost_minor(self) -> int:
        """Of most units: what is left over from dividing is with the first ones."""
        return self.origin.cost.amount_minor // max(len(self.lot.units), 1)

    @property
    def has_expiry(self) -> bool:
        return any(unit.expires_at is not None for unit in self.lot.units)

    @property
    def note(self) -> str:
        late = ", late" if self.origin.is_late else ""
        return f"bought of {self.origin.supplier} as {self.origin.supplier_sku}{late}"


@dataclass(frozen=True, slots=True)
class Stored:
    """What the vault made of a lot; `reasons`: how many of its units were refused for what."""

    accepted: int
    rejected: int
    duplicates: int
    reasons: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of a purchase's codes so far."""

    purchase_id: UUID
    state: ArrivalState
    accepted: int


def lot_of(purchase_id: UUID) -> UUID:
    """The lot that a purchase's codes become: always the same one, so that it is stored once."""
    return uuid5(NAMESPACE_URL, f"lockstock:lot:{purchase_id}")


def pause_after(tries: int) -> timedelta:
    return PAUSES[min(max(tries, 1), len(PAUSES)) - 1]


class Unsealable(Exception):
    """A code that fits into no box."""
