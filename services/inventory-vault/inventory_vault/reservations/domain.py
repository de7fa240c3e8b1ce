"""Units held for one reference until they are sold, given back, or the time runs out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from kit.errors import Conflict, DomainError, ErrorKind, Invalid, NotFound

UNITS_MAX = 100_000
"""Units of one reservation: what one transaction moves in about a second."""


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


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks to be held."""

    merchant_id: UUID
    reference: str
    lines: tuple[Line, ...]
    hold_seconds: int
    requested_by: str

    @property
    def quantity(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def name(self) -> tuple[UUID, str]:
        return self.merchant_id, self.reference

    def request_hash(self) -> bytes:
        """Of the lines: a repeat may ask for another time, never for other goods."""
        text = "|".join(
            f"{line.line_no}:{line.pool_id}:{line.quantity}"
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
    lines: tuple[Line, ...]

    @property
    def pool_ids(self) -> set[UUID]:
        return {line.pool_id for line in self.lines}

    def repeated_by(self, wish: Wish) -> bool:
        return self.request_hash == wish.request_hash()


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims what. With a key the units are handed out re-sealed to it."""

    reservation_id: UUID
    merchant_id: UUID
    recipient_public_key: bytes | None
    requested_by: str


def numbered(lines: Sequence[tuple[int | None, UUID, int]]) -> tuple[Line, ...]:
    """Lines with the caller's numbers, or their position; raises when a number comes twice."""
    found = tuple(
        Line(number if number is not None else position, pool_id, quantity)
        for position, (number, pool_id, quantity) in enumerate(lines, start=1)
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
    """Not enough units; nothing is held. `lines` names the short ones."""

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


class ReservationSold(Conflict):
    """The units are sold; they cannot be given back."""

    code = "reservation_sold"


class ReferenceTaken(Exception):
    """Another process reserved under one of these references just now; asking again finds it."""
