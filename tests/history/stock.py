"""I7 no false sell-out: bounds on the free stock of a pool at every moment.

Every call took effect somewhere between question and answer. The lower bound takes every unit as
gone from the first moment it may be and as back from the moment it is for certain; the upper bound
the other way round. A refusal is legal if the lower bound is below the wish at some moment of the
call. What a refusal or a level says is left must lie between the bounds.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.history.operations import FOREVER, Operation
from tests.history.tales import ReservationTale, Tales
from tests.history.violations import Invariant, Violation


@dataclass(slots=True)
class Curve:
    """A number over time, as the sum of its changes."""

    changes: list[tuple[int, int]] = field(default_factory=list)
    _times: list[int] = field(default_factory=list)
    _values: list[int] = field(default_factory=list)

    def add(self, at: int, units: int) -> None:
        if at != FOREVER:
            self.changes.append((at, units))

    def close(self, *, up_first: bool) -> None:
        """Sums up. Of changes at one moment those come first that widen the bound's error."""
        self.changes.sort(key=lambda change: (change[0], -change[1] if up_first else change[1]))
        total = 0
        for at, units in self.changes:
            total += units
            self._times.append(at)
            self._values.append(total)

    def within(self, begins: int, ends: int) -> list[int]:
        """The values it has from `begins` to `ends`."""
        first = bisect_right(self._times, begins - 1)
        last = bisect_right(self._times, ends)
        return [self._values[first - 1] if first else 0, *self._values[first:last]]

    def lowest(self) -> tuple[int, int]:
        """(value, when)."""
        return min(zip(self._values, self._times, strict=True), default=(0, 0))


@dataclass(slots=True)
class Bounds:
    lower: Curve = field(default_factory=Curve)
    upper: Curve = field(default_factory=Curve)


def check_stock(tales: Tales) -> Iterator[Violation]:
    bounds = _bounds(tales)
    for pool, bound in bounds.items():
        value, at = bound.upper.lowest()
        if value < 0:
            calls = _open_at(tales, pool, at)
            what = f"holds {-value} units more than it can have had"
            yield Violation(Invariant.CONSERVED, pool, what, calls)
    for call in tales.history.of("reserve"):
        if call.failed and call.error == "out_of_stock":
            yield from _check_refusal(call, bounds)
    for call in tales.history.of("level"):
        if call.ok:
            yield from _check_figure(call, bounds[call.args["pool"]], call.result["available"])


def _check_refusal(call: Operation, bounds: dict[str, Bounds]) -> Iterator[Violation]:
    """Lines of one pool share: the first short one tells what was left after those before it."""
    short = {line_no: left for line_no, _, _, left in call.result["short"]}
    if not short:
        what = "is refused without a short line"
        yield Violation(Invariant.NO_FALSE_SELL_OUT, "-", what, (call.call,))
    before: defaultdict[str, int] = defaultdict(int)
    told: set[str] = set()
    for line_no, pool, quantity in call.args["lines"]:
        if line_no in short and pool not in told:
            told.add(pool)
            wanted = before[pool] + quantity
            lowest = min(bounds[pool].lower.within(call.invoked_at, call.returned_at))
            if lowest >= wanted:
                what = f"refuses {wanted}, never had fewer than {lowest} free"
                yield Violation(Invariant.NO_FALSE_SELL_OUT, pool, what, (call.call,))
            yield from _check_figure(call, bounds[pool], before[pool] + short[line_no])
        before[pool] += quantity


def _check_figure(call: Operation, bound: Bounds, told: int) -> Iterator[Violation]:
    lowest = min(bound.lower.within(call.invoked_at, call.returned_at))
    highest = max(bound.upper.within(call.invoked_at, call.returned_at))
    if not lowest <= told <= highest:
        pool = call.args.get("pool", "a pool")
        what = f"says {told} are left, possible are {lowest} to {highest}"
        yield Violation(Invariant.NO_FALSE_SELL_OUT, pool, what, (call.call,))


def _bounds(tales: Tales) -> defaultdict[str, Bounds]:
    bounds: defaultdict[str, Bounds] = defaultdict(Bounds)
    for call in tales.history.of("import"):
        if call.may_have_worked:
            bounds[call.args["pool"]].upper.add(call.invoked_at, len(call.args["codes"]))
        if call.ok:
            bounds[call.args["pool"]].lower.add(call.returned_at, len(call.args["codes"]))
    for tale in tales.reservations.values():
        if tale.is_there:
            _add_hold(tales, tale, bounds)
    _add_withdrawals(tales, bounds)
    for bound in bounds.values():
        bound.lower.close(up_first=False)
        bound.upper.close(up_first=True)
    return bounds


def _add_hold(tales: Tales, tale: ReservationTale, bounds: dict[str, Bounds]) -> None:
    for line in tales.lines(tale):
        bound = bounds[line.pool]
        bound.lower.add(tale.begins, -line.quantity)
        bound.lower.add(tale.back, line.quantity)
        if tale.begun < tale.may_be_back:
            bound.upper.add(tale.begun, -line.quantity)
            bound.upper.add(tale.may_be_back, line.quantity)


def _add_withdrawals(tales: Tales, bounds: dict[str, Bounds]) -> None:
    """Gone from the question on, back only by an answered restore after an answered quarantine."""
    lots = tales.books.lot_of
    groups = [(tale.calls, tale.lot, 1) for tale in tales.units.values()]
    groups += [(c, lot, lots[lot].size) for lot, c in tales.lot_calls.items() if lot in lots]
    for calls, lot, units in groups:
        if lot not in lots:
            continue
        lower = bounds[lots[lot].pool].lower
        for call in calls:
            if call.op in ("quarantine", "void") and call.may_have_worked:
                lower.add(call.invoked_at, -units)
                lower.add(_restored(calls, call), units)


def _restored(calls: list[Operation], gone: Operation) -> int:
    """Whoever restores with success after it finds no quarantine left that was answered."""
    if gone.op == "void" or not gone.ok:
        return FOREVER
    back = [
        call.returned_at
        for call in calls
        if call.op == "restore" and call.ok and call.invoked_at > gone.returned_at
    ]
    return min(back, default=FOREVER)


def _open_at(tales: Tales, pool: str, at: int) -> tuple[int, ...]:
    return tuple(
        tale.reserves[0].call
        for tale in tales.reservations.values()
        if tale.reserves
        and tale.begun <= at < tale.may_be_back
        and any(line.pool == pool for line in tales.lines(tale))
    )
