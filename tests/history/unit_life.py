"""I6 for a unit: every call that touches it fits the life of one unit in one lot.

A hold that was given back never tells which units it had. So "somebody holds it" is allowed where
a hold on this pool that ended without a sale may have been open; all else must follow from calls.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

from tests.history.books import Books, Place
from tests.history.operations import FOREVER, Operation
from tests.history.search import Step, has_order
from tests.history.tales import Tales, UnitTale
from tests.history.violations import Invariant, Violation, calls_of


class Life(NamedTuple):
    """`place`: none, shelf, held, sold, opened, quarantined, void; `lot`: its lot's state."""

    place: str
    owner: str
    lot: str


Move = Callable[[Life], Life | None]
SHOWN = ("sold", "opened", "redeemed")


class PassingHolds:
    """When holds that left no trace on their units may have been open, by pool."""

    def __init__(self, tales: Tales) -> None:
        spans: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for tale in tales.reservations.values():
            if tale.status in ("sold", "held", "secured"):
                continue
            for pool in {line.pool for line in tales.lines(tale)}:
                spans[pool].append((tale.begins, tale.back))
        self._begins = {pool: sorted(b for b, _ in found) for pool, found in spans.items()}
        self._latest_end = {
            pool: list(accumulate((end for _, end in sorted(found)), max))
            for pool, found in spans.items()
        }

    def may_be_open(self, pool: str, call: Operation) -> bool:
        """Whether one may have been at some moment of the call."""
        before = bisect_left(self._begins.get(pool, []), call.settled_at)
        return before > 0 and self._latest_end[pool][before - 1] >= call.invoked_at


def check_units(tales: Tales) -> Iterator[Violation | None]:
    """None stands for a unit whose search gave up."""
    passing = PassingHolds(tales)
    imports = tales.imports_of_codes
    ends = _ends(tales.books)
    booked = {row.unit: row for row in tales.books.units}
    for tale in tales.units.values():
        row = booked.get(tale.unit)
        if row is None:
            what = "is named by calls and came in by no import"
            calls = calls_of(tale.calls)
            yield Violation(Invariant.LINEARIZABLE, tale.unit, what, calls)
            continue
        lot = tales.books.lot_of.get(row.lot)
        if lot is None or lot.state == "importing":
            continue
        end = ends.get((row.lot, row.seq), Life("shelf", "", ""))._replace(lot=lot.state)
        steps = [_import_step(imports.get(row.code)), *_owner_steps(tales, tale)]
        for call in (*tale.calls, *tales.lot_calls.get(row.lot, ())):
            steps.append(_call_step(call, passing.may_be_open(lot.pool, call)))
        steps.append(Step(tales.books.at, tales.books.at, _is(end)))
        found = has_order(steps, Life("none", "", "on_shelf"))
        if found is None:
            yield None
        elif not found:
            what = f"no order of its calls explains the answers and the end ({end.place})"
            named = tuple(step.call for step in steps if step.call is not None)
            yield Violation(Invariant.LINEARIZABLE, tale.unit, what, named)


def _ends(books: Books) -> dict[Place, Life]:
    """How the books say a unit ended; on the shelf when they do not name it."""
    found = {(r.lot, r.seq): Life(r.state, "", "") for r in books.withdrawn}
    for row in books.allocations:
        place = "held" if row.state == "reserved" else row.state
        found[row.lot, row.seq] = Life(place, row.reservation, "")
    return found


def _is(end: Life) -> Move:
    return lambda life: life if life == end else None


def _import_step(came: Operation | None) -> Step[Life]:
    if came is None:  # I3 says so already
        return Step(0, FOREVER, _goes("none", "shelf"))
    return Step(came.invoked_at, came.settled_at, _goes("none", "shelf"), call=came.call)


def _owner_steps(tales: Tales, tale: UnitTale) -> Iterator[Step[Life]]:
    """The hold that kept the unit, and its sale."""
    for owner in sorted(tale.owners):
        story = tales.tale_of(owner)
        if story is None:
            continue
        first = next((c.call for c in story.reserves if c.may_have_worked), None)
        yield Step(story.begins, story.begun, _is_held(owner), call=first)
        if story.status == "sold" or story.sold != FOREVER:
            claim = next((c.call for c in story.claims if c.may_have_worked), None)
            yield Step(story.may_be_sold, story.sold, _is_sold(owner), call=claim)


def _is_held(owner: str) -> Move:
    def move(life: Life) -> Life | None:
        if life.place != "shelf" or life.lot != "on_shelf":
            return None
        return life._replace(place="held", owner=owner)

    return move


def _is_sold(owner: str) -> Move:
    def move(life: Life) -> Life | None:
        mine = life.place == "held" and life.owner == owner
        return life._replace(place="sold") if mine else None

    return move


def _goes(before: str, after: str) -> Move:
    return lambda life: life._replace(place=after) if life.place == before else None


def _call_step(call: Operation, maybe_held: bool) -> Step[Life]:
    unknown = not call.ok and not call.failed
    moves = _lot_move if "lot" in call.args else _unit_move
    move = moves(call, maybe_held) if not call.failed else _refusal(call, maybe_held)
    return Step(call.invoked_at, call.settled_at, move, is_certain=not unknown, call=call.call)


def _unit_move(call: Operation, maybe_held: bool) -> Move:
    def move(life: Life) -> Life | None:
        match call.op:
            case "reveal":
                return life._replace(place="opened") if life.place in SHOWN else None
            case "quarantine":
                return life._replace(place="quarantined") if life.place == "shelf" else None
            case "restore":
                return life._replace(place="shelf") if life.place == "quarantined" else None
            case "void":
                return life._replace(place="void") if _can_be_void(life) else None
        return life if _looks(life, call.result.get("state"), maybe_held) else None

    return move


def _can_be_void(life: Life) -> bool:
    return life.place in ("shelf", "quarantined")


def _looks(life: Life, told: str | None, maybe_held: bool) -> bool:
    """Whether the unit's life may be told with this word."""
    if told is None:
        return True
    if life.place == "shelf":
        return told == ("available" if life.lot == "on_shelf" else life.lot) or (
            told == "reserved" and maybe_held
        )
    return told == ("reserved" if life.place == "held" else life.place)


LOT_MOVES = {
    "quarantine": (("on_shelf",), "quarantined"),
    "restore": (("quarantined",), "on_shelf"),
    "void": (("on_shelf", "quarantined"), "void"),
}


def _lot_move(call: Operation, _: bool) -> Move:
    before, after = LOT_MOVES[call.op]
    return lambda life: life._replace(lot=after) if life.lot in before else None


def _refusal(call: Operation, maybe_held: bool) -> Move:
    """Possible where the call would not have worked, or where somebody may have held the unit."""
    if call.op == "look":
        return lambda life: life if life.place == "none" else None
    works = (_lot_move if "lot" in call.args else _unit_move)(call, maybe_held)

    def move(life: Life) -> Life | None:
        excused = maybe_held and life.place == "shelf" and "lot" not in call.args
        return life if works(life) is None or excused else None

    return move
