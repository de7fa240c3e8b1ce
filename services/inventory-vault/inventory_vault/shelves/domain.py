"""How stock is taken: lots in order of expiry, given-back units first, then the cursor.

Everything here is arithmetic over figures read under the pools' locks; no row is searched.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from kit.errors import DomainError, ErrorKind
from kit.money import Money


class TakenUnit(NamedTuple):
    """A unit that belongs to a reservation. A tuple: one sale may have a hundred thousand."""

    unit_id: UUID
    lot_id: UUID
    seq: int
    reservation_id: UUID
    line_no: int
    mask: str
    unit_cost: Money
    expires_at: datetime | None = None
    # Whether its use is told to us by a redemption.
    is_redeemable: bool = False
    # What it is worth here, when it is a voucher that says so.
    face_value: Money | None = None


@dataclass(frozen=True, slots=True)
class WantedLine:
    reservation_id: UUID
    merchant_id: UUID
    line_no: int
    pool_id: UUID
    quantity: int
    # Only units that stay valid at least so long; 0: any that are valid now.
    min_valid_seconds: int = 0
    # Units of none of these lots.
    exclude_lots: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """So many units of one lot for one line: from its free list and from its cursor."""

    lot_id: UUID
    line: WantedLine
    from_free: int
    from_cursor: int


@dataclass(frozen=True, slots=True)
class Allotted:
    """Units `first_seq` to `last_seq` of a lot, for one line."""

    lot_id: UUID
    line: WantedLine
    first_seq: int
    last_seq: int


@dataclass(slots=True)
class ShelfLot:
    """A lot's figures under the pool's lock, counted down while a batch is planned."""

    id: UUID
    pool_id: UUID
    next_seq: int
    # Where the cursor goes.
    to_seq: int
    ahead: int
    free: int
    has_gaps: bool
    free_drawn: int = 0
    cursor_drawn: int = 0

    @property
    def left(self) -> int:
        return self.ahead + self.free

    def draw(self, line: WantedLine, wanted: int) -> Draw:
        from_free = min(wanted, self.free)
        from_cursor = min(wanted - from_free, self.ahead)
        self.free -= from_free
        self.ahead -= from_cursor
        self.free_drawn += from_free
        self.cursor_drawn += from_cursor
        return Draw(self.id, line, from_free, from_cursor)


@dataclass(slots=True)
class Shelves:
    """The stock of some pools, each with its lots in the order in which they are drained."""

    lots: Mapping[UUID, Sequence[ShelfLot]]
    draws: list[Draw] = field(default_factory=list)

    def available(self, pool_id: UUID) -> int:
        return sum(lot.left for lot in self.lots.get(pool_id, ()))

    def short(self, lines: Iterable[WantedLine]) -> list[tuple[WantedLine, int]]:
        """The lines that cannot be served, with what is left for each. Lines of a pool share."""
        left: dict[UUID, int] = {}
        short = []
        for line in lines:
            before = left.get(line.pool_id)
            before = self.available(line.pool_id) if before is None else before
            if line.quantity > before:
                short.append((line, before))
            left[line.pool_id] = max(0, before - line.quantity)
        return short

    def draw(self, lines: Iterable[WantedLine]) -> None:
        """Takes what `short` found to be there."""
        for line in lines:
            wanted = line.quantity
            for lot in self.lots[line.pool_id]:
                if wanted and lot.left:
                    drawn = lot.draw(line, wanted)
                    wanted -= drawn.from_free + drawn.from_cursor
                    self.draws.append(drawn)
            assert wanted == 0, "draw() without short()"

    def touched(self) -> list[ShelfLot]:
        """The lots something was drawn from."""
        return [
            lot for lots in self.lots.values() for lot in lots if lot.free_drawn or lot.cursor_drawn
        ]


def allot(
    draws: Sequence[Draw], free: Mapping[UUID, Sequence[int]], ahead: Mapping[UUID, Sequence[int]]
) -> list[Allotted]:
    """Gives each draw its units. `free` and `ahead`: per lot the units taken, each used once."""
    next_free = {lot_id: iter(seqs) for lot_id, seqs in free.items()}
    next_ahead = {lot_id: iter(seqs) for lot_id, seqs in ahead.items()}
    allotted: list[Allotted] = []
    for draw in draws:
        seqs = [next(next_free[draw.lot_id]) for _ in range(draw.from_free)]
        seqs += [next(next_ahead[draw.lot_id]) for _ in range(draw.from_cursor)]
        allotted += [Allotted(draw.lot_id, draw.line, *bounds) for bounds in runs(seqs)]
    return allotted


def runs(seqs: Sequence[int]) -> list[tuple[int, int]]:
    """[3, 4, 5, 9] -> [(3, 5), (9, 9)]: what travels to the database instead of single numbers."""
    found = []
    for _, group in groupby(enumerate(seqs), lambda pair: pair[1] - pair[0]):
        run = [seq for _, seq in group]
        found.append((run[0], run[-1]))
    return found


class ShelfChanged(DomainError):
    """The stock moved although its pool was locked: a bug, nothing was taken."""

    code = "shelf_changed"
    kind = ErrorKind.UNAVAILABLE
