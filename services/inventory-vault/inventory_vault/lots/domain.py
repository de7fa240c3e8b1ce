"""Lots: what came in by one import, and how many of its units are in which state."""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, NotFound
from kit.money import Money


class LotState(StrEnum):
    IMPORTING = "importing"
    # Taken back before anybody had a unit of it; its units are being deleted.
    UNDONE = "undone"
    # Stored, but not for sale before it is activated.
    INACTIVE = "inactive"
    ON_SHELF = "on_shelf"
    QUARANTINED = "quarantined"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Levels:
    """How many units are in each state; they sum to `total` by construction."""

    available: int = 0
    reserved: int = 0
    sold: int = 0
    opened: int = 0
    redeemed: int = 0
    expired: int = 0
    quarantined: int = 0
    void: int = 0
    inactive: int = 0
    total: int = 0

    def __add__(self, other: "Levels") -> "Levels":
        return Levels(*(a + b for a, b in zip(self.figures(), other.figures(), strict=True)))

    def by_name(self) -> dict[str, int]:
        return asdict(self)

    def figures(self) -> tuple[int, ...]:
        return (
            self.available,
            self.reserved,
            self.sold,
            self.opened,
            self.redeemed,
            self.expired,
            self.quarantined,
            self.void,
            self.inactive,
            self.total,
        )


@dataclass(frozen=True, slots=True)
class Lot:
    """What came in by one import."""

    id: UUID
    merchant_id: UUID
    pool_id: UUID
    state: LotState
    supplier: str
    note: str | None
    unit_cost: Money
    total_cost: Money
    expires_at: datetime | None
    created_at: datetime
    levels: Levels


@dataclass(frozen=True, slots=True)
class NewLot:
    """A lot as its import makes it; it is invisible until it is put on the shelf.

    `sender_public_key`: None when each part of the stock brings a seal of its own.
    """

    id: UUID
    merchant_id: UUID
    pool_id: UUID
    unit_cost: Money
    expires_at: datetime | None
    supplier: str
    note: str | None
    key_id: UUID
    sender_public_key: bytes | None
    seal_proof: bytes | None
    # Not for sale before somebody activates it.
    needs_activation: bool = False


@dataclass(frozen=True, slots=True)
class SealedUnit:
    """A unit as it is stored. `unit_cost_minor` and `expires_at` only where they differ."""

    seq: int
    unit_id: UUID
    nonce: bytes
    box: bytes
    mask: str
    fingerprint: bytes
    unit_cost_minor: int | None
    expires_at: datetime | None
    # Which of the lot's seals the box was sealed with.
    seal_no: int = 0
    # Equal for equal codes of all merchants; None where nobody computed it.
    mark: int | None = None


class LotNotFound(NotFound):
    """There is no such lot, or it is not yours."""

    code = "lot_not_found"


class LotAlreadySold(Conflict):
    """A unit of the lot is held or sold, so it cannot be undone. Release what is held; what is on
    the shelf can be voided.
    """

    code = "lot_already_sold"


class LotNotUndoable(Conflict):
    """A lot that was made void stays so, and one with units that the books lost already."""

    code = "lot_not_undoable"


class LotExposed(Conflict):
    """Units of the lot are sealed under a key that was compromised: others may know the codes, and
    the vault opens them no more. Void the lot, and have its supplier cancel it.
    """

    code = "lot_exposed"


class LotIdTaken(Conflict):
    """There is a lot with this id already; choose a fresh UUID."""

    code = "lot_id_taken"


class CodeTaken(Exception):
    """The vault holds one of these codes already; the transaction is lost."""
