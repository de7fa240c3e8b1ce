"""Bought codes on their way into the vault: sealed for it, kept here until it has them.

sealed -> stored (the vault has the lot; the boxes are dropped) | refused (it took none of them) |
resealing (sealed for a key that is no more: the supplier is asked for the codes again) -> sealed |
lost (the supplier cannot say them again: a person must ask for them).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5

from kit.errors import Conflict, Invalid, NotFound
from kit.money import Money

UNITS_MAX = 5_000
"""Codes in one purchase: what the vault takes in one call."""
PAUSES = tuple(timedelta(seconds=s) for s in (1, 2, 5, 15, 30, 60))
RESEALS_MAX = 288
"""How often a supplier is asked for codes again, five minutes apart: for a day."""
_KINDS: Mapping[frozenset[str], str] = {
    frozenset({"number", "password"}): "card",
    frozenset({"code"}): "code",
    frozenset({"url"}): "link",
}
_POOLS_OF_KIND = {"code": frozenset({"code", "voucher", "reusable"})}


class ArrivalState(StrEnum):
    SEALED = "sealed"
    STORED = "stored"
    REFUSED = "refused"
    RESEALING = "resealing"
    LOST = "lost"


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
    kind: str = ""  # `card`, `code`, `link`; empty: of several, or nobody noted it


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
class Stored:
    """What the vault made of a lot; `reasons`: how many of its units were refused for what;
    `cost_minor`: of those it took, where those are not all.
    """

    accepted: int
    rejected: int
    duplicates: int
    reasons: tuple[tuple[str, int], ...] = ()
    cost_minor: int = 0


NOTHING_STORED = Stored(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A lot as it lies here with its boxes. `is_booked`: what it cost is with its line already."""

    origin: Origin
    lot: SealedLot
    state: ArrivalState = ArrivalState.SEALED
    tries: int = 0
    lease_id: UUID | None = None

    @property
    def unit_cost_minor(self) -> int:
        """Of most units: what is left over from dividing is with the first ones."""
        if self.is_booked:
            return 0
        return self.origin.cost.amount_minor // max(len(self.lot.units), 1)

    @property
    def is_booked(self) -> bool:
        """The line of the order that it was bought for told its cost, so the lot has none left. A
        late one was no delivery.
        """
        return self.origin.order_id is not None and not self.origin.is_late

    def refused_cost(self, stored: Stored) -> Money | None:
        """What the units that the vault did not get or refused had cost: owed to the supplier, and
        never stock. None when that is nothing, or with a line of an order.
        """
        if self.is_booked or 0 < stored.accepted == len(self.lot.units):
            return None
        cost = self.origin.cost - Money(stored.cost_minor, self.origin.cost.currency)
        return cost if cost.amount_minor > 0 else None

    @property
    def has_expiry(self) -> bool:
        return any(unit.expires_at is not None for unit in self.lot.units)

    @property
    def note(self) -> str:
        late = ", late" if self.origin.is_late else ""
        return f"bought of {self.origin.supplier} as {self.origin.supplier_sku}{late}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How the codes of a purchase stand, without their boxes. `refused_as`: what the vault said
    of the whole lot last; `placed_by`: who named the pool, where the purchase named none.
    """

    id: UUID
    origin: Origin
    quantity: int
    kind: str
    state: ArrivalState
    accepted: int
    rejected: int
    duplicates: int
    refused_as: str
    placed_by: str | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of a purchase's codes so far."""

    purchase_id: UUID
    state: ArrivalState
    accepted: int


def kind_of(fields: frozenset[frozenset[str]]) -> str:
    """Of units with these names of fields: what a pool for them is of. Empty: of several kinds."""
    return _KINDS.get(next(iter(fields)), "") if len(fields) == 1 else ""


def fits(kind: str, pool_kind: str) -> bool:
    """Whether a pool of this kind takes units of that one."""
    return not kind or pool_kind in _POOLS_OF_KIND.get(kind, {kind})


def lot_of(purchase_id: UUID) -> UUID:
    """The lot that a purchase's codes become: always the same one, so that it is stored once."""
    return uuid5(NAMESPACE_URL, f"lockstock:lot:{purchase_id}")


def pause_after(tries: int) -> timedelta:
    return PAUSES[min(max(tries, 1), len(PAUSES)) - 1]


class ArrivalNotFound(NotFound):
    """No codes were bought under this id, or they are not yours."""

    code = "arrival_not_found"


class ArrivalHasPool(Conflict):
    """These codes are on their way into a pool, or came to an end: read the arrival. Another pool
    can be named only while there is none, or after the vault has refused the whole lot.
    """

    code = "arrival_has_pool"


class PoolNotForArrival(Invalid):
    """The vault holds no units of this kind in that pool; `needed` is the kind of these codes. Name
    a pool of that kind, or make one at the vault.
    """

    code = "pool_not_for_arrival"


class PoolOfArrivalUnknown(Invalid):
    """The vault knows no such pool of yours."""

    code = "pool_unknown"


class Unsealable(Exception):
    """A code that fits into no box."""
