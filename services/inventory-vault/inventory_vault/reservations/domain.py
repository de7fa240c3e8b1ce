"""Units held for one reference until they are sold, given back, or the time runs out."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from kit.errors import Conflict, DomainError, ErrorKind, Invalid, NotFound

HOLD_SECONDS_TOTAL_MAX = 86_400
"""From its beginning a hold lasts so long at most, however often it is extended."""
UNITS_MAX = 100_000
"""Units of one reservation: what one transaction moves in about a second."""
UNITS_TOGETHER_MAX = 20_000
"""Units that calls served together move in one transaction: about 200 ms. One may be larger."""

T = TypeVar("T")


class ReservationStatus(StrEnum):
    HELD = "held"
    # Paid for: the hold has no time limit any more.
    SECURED = "secured"
    SOLD = "sold"
    RELEASED = "released"
    EXPIRED = "expired"

    @property
    def holds_units(self) -> bool:
        return self in (ReservationStatus.HELD, ReservationStatus.SECURED)


@dataclass(frozen=True, slots=True)
class Line:
    line_no: int
    pool_id: UUID
    quantity: int
    # Only units that stay valid at least so long; 0: any that are valid now.
    min_valid_seconds: int = 0
    # Units of none of these lots: part of the wish, not kept with the reservation.
    exclude_lots: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks to be held."""

    merchant_id: UUID
    reference: str
    lines: tuple[Line, ...]
    hold_seconds: int
    requested_by: str
    # (dimension, value) of who holds unpaid: in memory only, stored as keyed hashes.
    holder: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    # The channel that sells: counted against its guarantee in the pools' quotas.
    channel_id: UUID | None = None

    @property
    def quantity(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def is_choosy(self) -> bool:
        """Whether not any unit that is valid now will do."""
        return any(line.min_valid_seconds or line.exclude_lots for line in self.lines)

    @property
    def name(self) -> tuple[UUID, str]:
        return self.merchant_id, self.reference

    def request_hash(self) -> bytes:
        """Of the lines: a repeat may ask for another time, never for other goods."""
        text = "|".join(
            f"{line.line_no}:{line.pool_id}:{line.quantity}{_validity(line)}{_without(line)}"
            for line in sorted(self.lines, key=lambda line: line.line_no)
        )
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Reservation:
    id: UUID
    merchant_id: UUID
    reference: str
    status: ReservationStatus
    request_hash: bytes
    created_at: datetime
    # Set while the status is held.
    expires_at: datetime | None
    # In the order of their numbers.
    lines: tuple[Line, ...]
    # Set when it was claimed partly: units sold per line.
    sold_quantities: tuple[int, ...] | None = None
    # Whether it counts against somebody's hold budget or a channel's guarantee.
    is_budgeted: bool = False

    @property
    def name(self) -> tuple[UUID, str]:
        return self.merchant_id, self.reference

    @property
    def quantities(self) -> tuple[int, ...]:
        """Units held per line."""
        return tuple(line.quantity for line in self.lines)

    @property
    def sold(self) -> tuple[int, ...]:
        """Units sold per line."""
        if self.status is not ReservationStatus.SOLD:
            return (0,) * len(self.lines)
        return self.sold_quantities or self.quantities

    @property
    def pool_ids(self) -> set[UUID]:
        return {line.pool_id for line in self.lines}

    def repeated_by(self, wish: Wish) -> bool:
        # Most of the time it was made from this very wish.
        return self.lines is wish.lines or self.request_hash == wish.request_hash()


def _validity(line: Line) -> str:
    return f":{line.min_valid_seconds}" if line.min_valid_seconds else ""


def _without(line: Line) -> str:
    return "".join(f":-{lot_id}" for lot_id in sorted(line.exclude_lots))


def numbered(
    lines: Sequence[tuple[int | None, UUID, int, int, tuple[UUID, ...]]],
) -> tuple[Line, ...]:
    """Lines with the caller's numbers, or their position; raises when a number comes twice."""
    found = tuple(
        Line(line[0] if line[0] is not None else position, *line[1:])
        for position, line in enumerate(lines, start=1)
    )
    if len({line.line_no for line in found}) != len(found):
        raise LineNumbersRepeat
    if sum(line.quantity for line in found) > UNITS_MAX:
        raise TooManyUnits
    return found


class LineNumbersRepeat(Invalid):
    """Two lines have the same line_no."""

    code = "line_no_repeated"


class TooManyUnits(Invalid):
    """One reservation may hold 100,000 units at most; split it."""

    code = "too_many_units"


class OutOfStock(DomainError):
    """Not enough units, or not enough that stay valid so long; nothing is held. `lines` names the
    short ones.
    """

    code = "out_of_stock"
    kind = ErrorKind.CONFLICT

    def __init__(self, short: Sequence[tuple[Line, int]]) -> None:
        lines: list[dict[str, Any]] = [
            {
                "line_no": line.line_no,
                "pool_id": str(line.pool_id),
                "requested": line.quantity,
                "available": available,
            }
            for line, available in short
        ]
        super().__init__(lines=lines)


class ReservationNotFound(NotFound):
    """There is no such reservation, or it is not yours."""

    code = "reservation_not_found"


class ReferenceReused(Invalid):
    """This reference already names a reservation with other lines."""

    code = "reference_reused"


class ReservationExpired(Conflict):
    """The hold ran out, its units are on the shelf again; reserve under another reference."""

    code = "reservation_expired"


class ReservationReleased(Conflict):
    """The hold was released and its units are on the shelf again."""

    code = "reservation_released"


class ReservationSecured(Conflict):
    """The hold is paid for: it has no time limit that could be extended."""

    code = "reservation_secured"


class HoldTooLong(Conflict):
    """A hold ends 24 hours after it was made at the latest; ask for less, or reserve anew."""

    code = "hold_too_long"


class ReservationSold(Conflict):
    """The units are sold: they cannot be given back, nor sold in other quantities."""

    code = "reservation_sold"


class ReferenceTaken(Exception):
    """Another process reserved under one of these references just now; asking again finds it."""


def claimable(merchant_id: UUID, found: Reservation | None) -> Reservation | DomainError:
    """The merchant's reservation, or why it cannot be sold or held on."""
    if found is None or found.merchant_id != merchant_id:
        return ReservationNotFound()
    if found.status is ReservationStatus.EXPIRED:
        return ReservationExpired()
    if found.status is ReservationStatus.RELEASED:
        return ReservationReleased()
    return found


def first_together(items: Sequence[T], units_in: Callable[[T], int]) -> Sequence[T]:
    """As many of the first items as move UNITS_TOGETHER_MAX units, at least one."""
    units = 0
    for count, item in enumerate(items):
        units += units_in(item)
        if count and units > UNITS_TOGETHER_MAX:
            return items[:count]
    return items


def units_in(reservation: Reservation | None) -> int:
    return sum(reservation.quantities) if reservation else 0
