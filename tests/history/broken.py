"""Histories broken by hand: over thirty ways to spoil the sound world of `world.py`."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.history.books import (
    FreeRow,
    LineRow,
    LotRow,
    ReservationRow,
    UnitRow,
    ViewRow,
)
from tests.history.operations import Outcome
from tests.history.tales import SECOND
from tests.history.violations import Invariant
from tests.history.world import UNITS, World

Spoil = Callable[[World], None]


@dataclass(frozen=True, slots=True)
class Broken:
    """`what` went wrong, which invariant must say so, and how the world is spoiled."""

    what: str
    invariant: Invariant
    spoil: Spoil


CASES: list[Broken] = []


def broken(what: str, invariant: Invariant) -> Callable[[Spoil], Spoil]:
    def keep(spoil: Spoil) -> Spoil:
        CASES.append(Broken(what, invariant, spoil))
        return spoil

    return keep


# I1 unique


@broken("a unit is sold twice", Invariant.UNIQUE)
def _(world: World) -> None:
    world.reserve("G", 20)
    world.claim("G", 22, units=[["u1", 1]])
    world.book("G", "sold")
    world.allocate(1, "G", "sold")
    world.sell(1, "G")


@broken("two buyers are answered one unit, the books name one of them", Invariant.UNIQUE)
def _(world: World) -> None:
    world.reserve("G", 20)
    world.claim("G", 22, units=[["u2", 1]])
    world.book("G", "sold")


@broken("two units show the same code", Invariant.UNIQUE)
def _(world: World) -> None:
    world.calls["claim A"].result["codes"]["u2"] = "c1"


@broken("a claim opens the box of a unit that is for sale", Invariant.UNIQUE)
def _(world: World) -> None:
    world.calls["claim A"].result["codes"]["u2"] = "c7"


@broken("a unit has two rows of sale", Invariant.UNIQUE)
def _(world: World) -> None:
    world.sell(1, "A")


# I2 stable


@broken("a repeated claim answers another unit", Invariant.STABLE)
def _(world: World) -> None:
    world.claim("A", 8, "again", units=[["u1", 1], ["u7", 1]])


@broken("a repeated claim answers fewer units", Invariant.STABLE)
def _(world: World) -> None:
    world.claim("A", 8, "again", units=[["u1", 1]])


@broken("a claim answers one unit twice", Invariant.STABLE)
def _(world: World) -> None:
    world.calls["claim A"].result["units"] = [["u1", 1], ["u1", 1]]


@broken("a claim answers its units under another line", Invariant.STABLE)
def _(world: World) -> None:
    world.calls["claim A"].result["units"] = [["u1", 1], ["u2", 2]]


@broken("a unit shows another code the second time", Invariant.STABLE)
def _(world: World) -> None:
    world.ask("again", "reveal", 8, 9, {"unit": "u1"}, {"code": "c9", "view": "v2"})
    world.books.views.append(ViewRow("v2", "u1", "rA"))


# I3 conserved


@broken("an imported code is missing", Invariant.CONSERVED)
def _(world: World) -> None:
    world.books.units.pop()
    world.lot.size = UNITS - 1


@broken("a refused import left units", Invariant.CONSERVED)
def _(world: World) -> None:
    world.calls["import"].outcome = Outcome.FAIL


@broken("an import of unknown outcome came in half", Invariant.CONSERVED)
def _(world: World) -> None:
    args = {"pool": "p", "codes": ["d1", "d2"]}
    world.ask("lost", "import", 50, 0, args, None)
    world.books.lots.append(LotRow("m", "p", "on_shelf", 1, 1, 0, 0))
    world.books.units.append(UnitRow("x1", "m", 1, "d1"))


@broken("a unit is there that nobody imported", Invariant.CONSERVED)
def _(world: World) -> None:
    world.books.units.append(UnitRow("u9", "l", UNITS + 1, "c9"))
    world.lot.size += 1


@broken("a unit that was given back is nowhere", Invariant.CONSERVED)
def _(world: World) -> None:
    world.books.free.clear()
    world.lot.free_count = 0


@broken("a sold unit is on the free list too", Invariant.CONSERVED)
def _(world: World) -> None:
    world.books.free.append(FreeRow("l", 2))
    world.lot.free_count = 2


@broken("a unit ahead of the cursor is sold", Invariant.CONSERVED)
def _(world: World) -> None:
    world.lot.next_seq = 1


@broken("the tally forgot a sale", Invariant.CONSERVED)
def _(world: World) -> None:
    world.lot.sold = 0


@broken("the free count is one too high", Invariant.CONSERVED)
def _(world: World) -> None:
    world.lot.free_count = 2


@broken("a hold holds less than it promised", Invariant.CONSERVED)
def _(world: World) -> None:
    world.books.lines[1].quantity = 2
    world.calls["reserve B"].args["lines"] = [[1, "p", 2]]


@broken("an expired hold still holds", Invariant.CONSERVED)
def _(world: World) -> None:
    world.books.free.clear()
    world.lot.free_count = 0
    world.allocate(5, "D", "reserved")


@broken("a sale without its row", Invariant.CONSERVED)
def _(world: World) -> None:
    world.books.sales.pop()


@broken("two holds are open over one unit, and both end", Invariant.CONSERVED)
def _(world: World) -> None:
    for reference in "GH":
        world.reserve(reference, 40, 5)
        args = {"reservation": f"r{reference}"}
        world.ask(f"release {reference}", "release", 44, 45, args, {"status": "released"})
        world.book(reference, "released", 5)


# I4 no early reveal


@broken("a unit is shown that is only held", Invariant.NO_EARLY_REVEAL)
def _(world: World) -> None:
    world.ask("peep", "reveal", 950, 951, {"unit": "u3"}, {"code": "c3", "view": "v2"})
    world.books.views.append(ViewRow("v2", "u3", "rB"))


@broken("a unit is shown before its claim began", Invariant.NO_EARLY_REVEAL)
def _(world: World) -> None:
    call = world.calls["reveal u1"]
    call.invoked_at, call.returned_at = 2 * SECOND, 3 * SECOND


@broken("a unit is shown without a row in the log", Invariant.NO_EARLY_REVEAL)
def _(world: World) -> None:
    world.books.views.clear()


@broken("a sale is handed out without a row in the log", Invariant.NO_EARLY_REVEAL)
def _(world: World) -> None:
    world.books.handouts.clear()


@broken("codes were handed out and the sale was taken back", Invariant.NO_EARLY_REVEAL)
def _(world: World) -> None:
    world.row("A").status = "expired"


# I5 definite stays definite


@broken("a promised hold is gone", Invariant.DEFINITE)
def _(world: World) -> None:
    world.forget("B")


@broken("a refused hold is there", Invariant.DEFINITE)
def _(world: World) -> None:
    world.book("E", "released", 50)


@broken("a hold is there that nobody asked for", Invariant.DEFINITE)
def _(world: World) -> None:
    world.book("Z", "expired")


@broken("a lost call worked for one line of two", Invariant.DEFINITE)
def _(world: World) -> None:
    world.calls["reserve F"].args["lines"] = [[1, "p", 1], [2, "p", 1]]
    world.book("F", "held")
    world.allocate(5, "F", "reserved")
    world.books.free.clear()
    world.lot.free_count = 0


@broken("a repeated reference holds a second time", Invariant.DEFINITE)
def _(world: World) -> None:
    world.reserve("B", 902, name="again", reservation="rB2", status="held")
    world.books.reservations.append(ReservationRow("rB2", "B", "held"))
    world.books.lines.append(LineRow("rB2", 1, "p", 1))


@broken("a sale that was answered is only a hold", Invariant.DEFINITE)
def _(world: World) -> None:
    world.row("A").status = "held"


@broken("a hold that was released is sold in the end", Invariant.DEFINITE)
def _(world: World) -> None:
    world.row("C").status = "sold"


@broken("a hold is released that nobody released", Invariant.DEFINITE)
def _(world: World) -> None:
    world.row("B").status = "released"


# I6 linearizable


@broken("a hold runs out before its time", Invariant.LINEARIZABLE)
def _(world: World) -> None:
    call = world.calls["read D"]
    call.invoked_at, call.returned_at = 20 * SECOND, 21 * SECOND


@broken("an expired hold is read as held afterwards", Invariant.LINEARIZABLE)
def _(world: World) -> None:
    args = {"reservation": "rD"}
    world.ask("read again", "read", 130, 131, args, {"status": "held"})


@broken("an answered hold is unknown a moment later", Invariant.LINEARIZABLE)
def _(world: World) -> None:
    args = {"reservation": "rB"}
    world.ask("read B", "read", 905, 906, args, {"error": "reservation_not_found"})


@broken("a frozen unit is sold", Invariant.LINEARIZABLE)
def _(world: World) -> None:
    world.ask("freeze u2", "quarantine", 1.2, 1.4, {"unit": "u2"}, {"state": "quarantined"})


@broken("a unit of a frozen lot is held", Invariant.LINEARIZABLE)
def _(world: World) -> None:
    world.ask("freeze l", "quarantine", 500, 501, {"lot": "l"}, {"state": "quarantined"})
    world.ask("thaw l", "restore", 990, 991, {"lot": "l"}, {"state": "on_shelf"})


@broken("a sold unit is frozen", Invariant.LINEARIZABLE)
def _(world: World) -> None:
    world.ask("freeze u2", "quarantine", 50, 51, {"unit": "u2"}, {"state": "quarantined"})


@broken("a sold unit is refused to its buyer", Invariant.LINEARIZABLE)
def _(world: World) -> None:
    world.ask("refused", "reveal", 20, 21, {"unit": "u2"}, {"error": "unit_not_sold"})


@broken("a sold unit looks available", Invariant.LINEARIZABLE)
def _(world: World) -> None:
    world.ask("look", "look", 20, 21, {"unit": "u2"}, {"state": "available"})


# I7 no false sell-out


@broken("a wish is refused while there is plenty", Invariant.NO_FALSE_SELL_OUT)
def _(world: World) -> None:
    world.reserve("G", 700, 2, error="out_of_stock", short=[[1, "p", 2, 1]])


@broken("a wish is refused although what was given back would do", Invariant.NO_FALSE_SELL_OUT)
def _(world: World) -> None:
    world.reserve("G", 700, 5, error="out_of_stock", short=[[1, "p", 5, 4]])


@broken("the second line is refused as if the first had taken more", Invariant.NO_FALSE_SELL_OUT)
def _(world: World) -> None:
    call = world.reserve("G", 700, error="out_of_stock", short=[[2, "p", 2, 1]])
    call.args["lines"] = [[1, "p", 2], [2, "p", 2]]


@broken("a refusal says more is left than can be", Invariant.NO_FALSE_SELL_OUT)
def _(world: World) -> None:
    world.calls["reserve E"].result["short"] = [[1, "p", 50, 49]]


@broken("a level counts units that are held", Invariant.NO_FALSE_SELL_OUT)
def _(world: World) -> None:
    world.calls["level"].result["available"] = 7


# I10 live


@broken("a hold outlives its time", Invariant.LIVE)
def _(world: World) -> None:
    world.row("B").overdue_seconds = 90
