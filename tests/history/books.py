"""The books: what the vault's tables say when everything has come to rest."""

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

Place = tuple[str, int]
"""(lot, seq): where a unit stands."""


@dataclass(slots=True)
class LotRow:
    lot: str
    pool: str
    state: str
    size: int
    next_seq: int
    free_count: int
    gaps_ahead: int
    # The lot's tally: units by what became of them.
    sold: int = 0
    opened: int = 0
    redeemed: int = 0
    expired: int = 0
    quarantined: int = 0
    void: int = 0


@dataclass(slots=True)
class UnitRow:
    unit: str
    lot: str
    seq: int
    # The hash of the code in the box, found by the unit's fingerprint; "" for a code nobody knows.
    code: str


@dataclass(slots=True)
class AllocationRow:
    lot: str
    seq: int
    reservation: str
    line_no: int
    state: str


@dataclass(slots=True)
class FreeRow:
    lot: str
    seq: int


@dataclass(slots=True)
class WithdrawnRow:
    lot: str
    seq: int
    state: str


@dataclass(slots=True)
class SaleRow:
    unit: str
    lot: str
    seq: int
    reservation: str
    line_no: int


@dataclass(slots=True)
class ReservationRow:
    reservation: str
    reference: str
    status: str
    # How long the hold is past its time; 0 while it is not, or is no hold.
    overdue_seconds: float = 0.0


@dataclass(slots=True)
class LineRow:
    reservation: str
    line_no: int
    pool: str
    quantity: int


@dataclass(slots=True)
class HandoutRow:
    handout: str
    reservation: str


@dataclass(slots=True)
class ViewRow:
    view: str
    unit: str
    reservation: str


@dataclass
class Books:
    """All rows, and when they were read (on the callers' clock)."""

    at: int
    lots: list[LotRow] = field(default_factory=list)
    units: list[UnitRow] = field(default_factory=list)
    allocations: list[AllocationRow] = field(default_factory=list)
    free: list[FreeRow] = field(default_factory=list)
    withdrawn: list[WithdrawnRow] = field(default_factory=list)
    sales: list[SaleRow] = field(default_factory=list)
    reservations: list[ReservationRow] = field(default_factory=list)
    lines: list[LineRow] = field(default_factory=list)
    handouts: list[HandoutRow] = field(default_factory=list)
    views: list[ViewRow] = field(default_factory=list)

    @cached_property
    def lot_of(self) -> dict[str, LotRow]:
        return {row.lot: row for row in self.lots}

    @cached_property
    def unit_at(self) -> dict[Place, UnitRow]:
        return {(row.lot, row.seq): row for row in self.units}

    @cached_property
    def allocations_at(self) -> dict[Place, list[AllocationRow]]:
        found: defaultdict[Place, list[AllocationRow]] = defaultdict(list)
        for row in self.allocations:
            found[row.lot, row.seq].append(row)
        return found

    @cached_property
    def lines_of(self) -> dict[str, list[LineRow]]:
        found: defaultdict[str, list[LineRow]] = defaultdict(list)
        for row in self.lines:
            found[row.reservation].append(row)
        return found

    @cached_property
    def sales_of(self) -> dict[str, list[SaleRow]]:
        found: defaultdict[str, list[SaleRow]] = defaultdict(list)
        for row in self.sales:
            found[row.reservation].append(row)
        return found

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


_ROWS: dict[str, Any] = {
    "lots": LotRow,
    "units": UnitRow,
    "allocations": AllocationRow,
    "free": FreeRow,
    "withdrawn": WithdrawnRow,
    "sales": SaleRow,
    "reservations": ReservationRow,
    "lines": LineRow,
    "handouts": HandoutRow,
    "views": ViewRow,
}


def read_books(path: Path) -> Books:
    values = json.loads(path.read_text(encoding="utf-8"))
    rows = {name: [row(**item) for item in values[name]] for name, row in _ROWS.items()}
    assert {*rows, "at"} == {one.name for one in fields(Books)}
    return Books(at=values["at"], **rows)
