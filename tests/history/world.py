"""A small sound world, to be spoiled: calls and the books that fit them.

Pool "p" with one lot of eight units u1 .. u8 (codes c1 .. c8), and what became of them: A bought
u1 and u2 with a key and looked at u1; B holds u3; C had a hold and gave it back; D's hold ran out;
E wanted too many; F's call was lost and never worked; u4 was frozen.
"""

from typing import Any

from tests.history.books import (
    AllocationRow,
    Books,
    FreeRow,
    HandoutRow,
    LineRow,
    LotRow,
    ReservationRow,
    SaleRow,
    UnitRow,
    ViewRow,
    WithdrawnRow,
)
from tests.history.operations import FOREVER, History, Operation, Outcome
from tests.history.tales import SECOND

UNITS = 8
Words = dict[str, Any]


class World:
    """Calls and rows, to be spoiled."""

    def __init__(self) -> None:
        self.calls: dict[str, Operation] = {}
        self.books = Books(at=1_000 * SECOND)
        _stock(self)
        _sale(self)
        _holds(self)
        _refusals(self)

    def ask(
        self,
        name: str,
        op: str,
        begins: float,
        ends: float,
        args: dict[str, Any],
        result: dict[str, Any] | None,
    ) -> Operation:
        """A call from `begins` to `ends` seconds; without a result its outcome is unknown."""
        outcome = Outcome.INFO
        if result is not None:
            outcome = Outcome.FAIL if "error" in result else Outcome.OK
        call = Operation(
            len(self.calls) + 1,
            0,
            op,
            args,
            int(begins * SECOND),
            outcome,
            FOREVER if result is None else int(ends * SECOND),
            result or {},
        )
        self.calls[name] = call
        return call

    def reserve(
        self, reference: str, begins: float, units: int = 1, *, name: str = "", **result
    ) -> Operation:
        args = {"reference": reference, "lines": [[1, "p", units]], "hold_seconds": 100}
        told = result or {"reservation": f"r{reference}", "status": "held"}
        return self.ask(name or f"reserve {reference}", "reserve", begins, begins + 1, args, told)

    def claim(self, reference: str, begins: float, name: str = "", **result) -> Operation:
        args = {"reservation": f"r{reference}"}
        return self.ask(name or f"claim {reference}", "claim", begins, begins + 1, args, result)

    def book(self, reference: str, status: str, units: int = 1) -> None:
        self.books.reservations.append(ReservationRow(f"r{reference}", reference, status))
        self.books.lines.append(LineRow(f"r{reference}", 1, "p", units))

    def allocate(self, seq: int, reference: str, state: str) -> None:
        self.books.allocations.append(AllocationRow("l", seq, f"r{reference}", 1, state))

    def sell(self, seq: int, reference: str) -> None:
        self.books.sales.append(SaleRow(f"u{seq}", "l", seq, f"r{reference}", 1))

    @property
    def lot(self) -> LotRow:
        return self.books.lots[0]

    @property
    def history(self) -> History:
        return History(self.calls.values())

    def row(self, reference: str) -> ReservationRow:
        return next(row for row in self.books.reservations if row.reference == reference)

    def forget(self, reference: str) -> None:
        """The reservation vanishes from the books, and nothing else."""
        self.books.reservations.remove(self.row(reference))


def _stock(world: World) -> None:
    codes = [f"c{number}" for number in range(1, UNITS + 1)]
    world.ask(
        "import", "import", 0, 1, {"pool": "p", "codes": codes}, {"lot": "l", "accepted": UNITS}
    )
    world.books.lots.append(LotRow("l", "p", "on_shelf", UNITS, 6, 1, 0, sold=1, opened=1))
    world.books.units += [UnitRow(f"u{n}", "l", n, f"c{n}") for n in range(1, UNITS + 1)]
    world.ask("freeze", "quarantine", 30, 31, {"unit": "u4"}, {"state": "quarantined"})
    world.books.withdrawn.append(WithdrawnRow("l", 4, "quarantined"))
    world.lot.quarantined = 1


def _sale(world: World) -> None:
    world.reserve("A", 2, 2)
    units = [["u1", 1], ["u2", 1]]
    world.claim("A", 4, units=units, codes={"u1": "c1", "u2": "c2"})
    world.ask("reveal u1", "reveal", 6, 7, {"unit": "u1"}, {"code": "c1", "view": "v1"})
    world.book("A", "sold", 2)
    for seq, state in ((1, "opened"), (2, "sold")):
        world.allocate(seq, "A", state)
        world.sell(seq, "A")
    world.books.handouts.append(HandoutRow("h1", "rA"))
    world.books.views.append(ViewRow("v1", "u1", "rA"))


def _holds(world: World) -> None:
    world.reserve("B", 900)
    world.book("B", "held")
    world.allocate(3, "B", "reserved")
    world.reserve("C", 10)
    world.ask("release C", "release", 12, 13, {"reservation": "rC"}, {"status": "released"})
    world.book("C", "released")
    world.reserve("D", 10)
    world.ask("read D", "read", 120, 121, {"reservation": "rD"}, {"status": "expired"})
    world.claim("D", 122, error="reservation_expired")
    world.book("D", "expired")
    world.books.free.append(FreeRow("l", 5))


def _refusals(world: World) -> None:
    world.reserve("E", 200, 50, error="out_of_stock", short=[[1, "p", 50, 5]])
    args = {"reference": "F", "lines": [[1, "p", 1]], "hold_seconds": 100}
    world.ask("reserve F", "reserve", 300, 0, args, None)
    world.ask("level", "level", 400, 401, {"pool": "p"}, {"available": 5})
