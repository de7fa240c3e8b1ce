"""Counts over sliding windows, in memory, for purchases that come in the order of their recording.

What `velocity` counts in the database for the one purchase at hand, counted here for all of a past:
the same numbers, a million purchases in one pass. Late and reordered purchases count as they did.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from risk.counts import DISTINCT_MAX, CountFact, KeyKind, Measure
from risk.pasts import microseconds

REPLAYED = frozenset({Measure.PURCHASES, Measure.AMOUNT, Measure.QUANTITY})
"""Besides counts of different values. When outcomes became known is not kept: those are not."""
LATE_MAX = timedelta(days=7)
"""Purchases may come so late: what older windows hold is kept for them."""
SWEEP_EVERY = 50_000
"""Purchases. Keys of which nothing can count any more are dropped then."""

Keys = Mapping[KeyKind, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A purchase, as far as counts look at it; `of_product`: key -> quantity and amount."""

    at: datetime
    currency: str
    quantity: int
    amount_minor: int
    keys: Keys
    of_product: Mapping[str, tuple[int, int]]


def can_replay(count: CountFact) -> bool:
    return count.measure.of is not None or count.measure in REPLAYED


class Replay:
    """Takes purchases one after another, and says what each count was at each of them."""

    def __init__(self, counts: Iterable[CountFact]) -> None:
        self._counts = [count for count in counts if can_replay(count)]
        self._books: dict[tuple[KeyKind, Measure], dict[str, _Sums | _Values]] = {
            (count.key, count.measure): {} for count in self._counts
        }
        self._spans = {
            which: max(it.seconds for it in self._counts if (it.key, it.measure) == which)
            for which in self._books
        }
        self._taken = 0
        self._newest = 0

    @property
    def kinds(self) -> frozenset[KeyKind]:
        """What must be known of a purchase."""
        values = {it.measure.of for it in self._counts if it.measure.of is not None}
        return frozenset({it.key for it in self._counts} | values)

    @property
    def span(self) -> timedelta:
        """How far a count looks back at most."""
        return timedelta(seconds=max(self._spans.values(), default=0))

    def take(self, seen: Seen) -> dict[str, int]:
        """Adds the purchase; name of each count -> what it was, the purchase included."""
        at = microseconds(seen.at)
        self._newest = max(self._newest, at)
        for which, book in self._books.items():
            self._add(which, book, seen, at)
        self._taken += 1
        if self._taken % SWEEP_EVERY == 0:
            self._sweep()
        return {count.name: self._read(count, seen, at) for count in self._counts}

    def _add(
        self,
        which: tuple[KeyKind, Measure],
        book: "dict[str, _Sums | _Values]",
        seen: Seen,
        at: int,
    ) -> None:
        kind, measure = which
        for key in seen.keys[kind]:
            if measure.of is not None:
                values = book.get(key)
                if values is None:
                    values = book[key] = _Values()
                assert isinstance(values, _Values)
                for value in seen.keys[measure.of]:
                    values.add(value, at)
                continue
            name = _named(key, measure, seen.currency)
            sums = book.get(name)
            if sums is None:
                sums = book[name] = _Sums()
            assert isinstance(sums, _Sums)
            sums.add(at, _figure(measure, seen, kind, key))

    def _read(self, count: CountFact, seen: Seen, at: int) -> int:
        """Of several keys of a kind (products) the one with the most counts."""
        book, span = self._books[count.key, count.measure], count.seconds * 1_000_000
        found = (book[_named(key, count.measure, seen.currency)] for key in seen.keys[count.key])
        return max((it.within(at - span + 1, at + span) for it in found), default=0)

    def _sweep(self) -> None:
        for which, book in self._books.items():
            span = timedelta(seconds=self._spans[which]) + LATE_MAX
            oldest = self._newest - span // timedelta(microseconds=1)
            for key in [key for key, it in book.items() if it.newest < oldest]:
                del book[key]


class _Sums:
    """Purchases of one key by their time, with running sums of a figure."""

    __slots__ = ("_ats", "_sums")

    def __init__(self) -> None:
        self._ats = array("q")
        self._sums = array("q", [0])

    @property
    def newest(self) -> int:
        return self._ats[-1]

    def add(self, at: int, figure: int) -> None:
        place = bisect_right(self._ats, at)
        self._ats.insert(place, at)
        self._sums.insert(place + 1, self._sums[place] + figure)
        for later in range(place + 2, len(self._sums)):  # only for what came late
            self._sums[later] += figure

    def within(self, first: int, end: int) -> int:
        low, high = bisect_left(self._ats, first), bisect_left(self._ats, end)
        return self._sums[high] - self._sums[low]


class _Values:
    """Different values seen with one key; those seen last come last, while nothing was late."""

    __slots__ = ("_is_ordered", "_seen", "newest")

    def __init__(self) -> None:
        self._seen: dict[str, array[int]] = {}
        self._is_ordered = True
        self.newest = 0

    def add(self, value: str, at: int) -> None:
        ats = self._seen.get(value)
        if at >= self.newest:
            self.newest = at
            if ats is not None:
                del self._seen[value]
            self._seen[value] = ats = ats or array("q")
            ats.append(at)
            return
        if ats is None:
            ats = self._seen[value] = array("q")
        if not ats or at > ats[-1]:
            self._is_ordered = False
        insort(ats, at)

    def within(self, first: int, end: int) -> int:
        number = 0
        for ats in reversed(self._seen.values()):
            if self._is_ordered and ats[-1] < first:
                break
            place = bisect_left(ats, first)
            if place < len(ats) and ats[place] < end:
                number += 1
                if number == DISTINCT_MAX:
                    break
        return number


def _named(key: str, measure: Measure, currency: str) -> str:
    return f"{currency} {key}" if measure is Measure.AMOUNT else key


def _figure(measure: Measure, seen: Seen, kind: KeyKind, key: str) -> int:
    if measure is Measure.PURCHASES:
        return 1
    quantity, amount = (
        seen.of_product[key] if kind is KeyKind.PRODUCT else (seen.quantity, seen.amount_minor)
    )
    return quantity if measure is Measure.QUANTITY else amount
