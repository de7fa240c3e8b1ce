"""What a window of one key holds, counted one by one or from roll-ups.

A key with few purchases is counted from the purchases themselves: they are read once, whatever is
asked about them. One with many has buckets of a minute, an hour and a day, so that 90 days are some
170 rows and less than a minute of purchases at each edge, however hot the key is; and one row for
each value ever seen with it.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import accumulate, repeat
from typing import Any, NamedTuple
from uuid import UUID

from risk.counts import DISTINCT_MAX, KeyKind, Measure

ROLLED_FROM = 100
"""Purchases. Keys with more are counted from roll-ups: what a count reads stays bounded."""
PAST_MAX = 200
"""Purchases of a stretch that are counted here. Where there are more (at the edge of a window of a
very hot key, or of a key that nobody counted by so far) the database counts them.
"""


@dataclass(frozen=True, slots=True)
class VelocityKey:
    """One thing purchases are counted by. `digest` names it without showing it."""

    kind: KeyKind
    digest: UUID

    def __hash__(self) -> int:
        # The digest names its kind too; a decision looks up keys some hundred times.
        return hash(self.digest.int)


class Figures(NamedTuple):
    """What purchases of one key within one window come to."""

    purchases: int = 0
    quantity: int = 0
    amount_minor: int = 0
    unpaid: int = 0
    failed: int = 0
    refunded: int = 0

    def plus(self, other: "Figures") -> "Figures":
        if self is NOTHING or other is NOTHING:
            return other if self is NOTHING else self
        return Figures(
            self.purchases + other.purchases,
            self.quantity + other.quantity,
            self.amount_minor + other.amount_minor,
            self.unpaid + other.unpaid,
            self.failed + other.failed,
            self.refunded + other.refunded,
        )

    def of(self, measure: Measure) -> int:
        """The figure of a measure; of one that tells values apart, their number."""
        return int(self[_PLACES.get(measure, 0)])


_PLACES = {
    Measure.PURCHASES: 0,
    Measure.QUANTITY: 1,
    Measure.AMOUNT: 2,
    Measure.UNPAID: 3,
    Measure.FAILED: 4,
    Measure.REFUNDED: 5,
}
NOTHING = Figures()


class Outcome(StrEnum):
    """What became of a purchase, as far as it is counted."""

    UNPAID = "unpaid"
    """It ended before it was paid. A price that comes after its end changes nothing here."""
    FAILED = "failed"
    """A payment for it failed; each one counts."""
    REFUNDED = "refunded"
    """Its whole money went back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a purchase adds to the figures of one of its keys."""

    key: VelocityKey
    merchant_id: UUID
    at: datetime
    currency: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Sighting:
    """A value that a purchase has beside one of its keys."""

    key: VelocityKey
    merchant_id: UUID
    at: datetime
    of: KeyKind
    value: UUID


@dataclass(frozen=True, slots=True)
class KeyState:
    """What is known of a key; true as long as it is locked."""

    total: int = 0
    """Purchases ever recorded, those of this batch included."""
    newest_us: int = 0
    is_rolled: bool = False
    paired: frozenset[KeyKind] = frozenset()


class Level(StrEnum):
    """The lengths of roll-ups."""

    MINUTE = "m"
    HOUR = "h"
    DAY = "d"

    @property
    def seconds(self) -> int:
        return {"m": 60, "h": 3_600, "d": 86_400}[self.value]

    def floor(self, at_us: int) -> int:
        """The beginning of the bucket that this microsecond lies in."""
        return at_us - at_us % (self.seconds * 1_000_000)


class Segment(NamedTuple):
    """A part of a window, microseconds from `first` until before `end`: whole buckets of a level,
    or, without one, purchases one by one.
    """

    level: Level | None
    first: int
    end: int


class Question(NamedTuple):
    """What one count asks of a key: figures within a window, or the different values of a kind."""

    key: VelocityKey
    currency: str
    first_us: int
    end_us: int
    of: KeyKind | None = None
    candidates: frozenset[UUID] = frozenset()
    """Values that are there for certain: of purchases that are not written down yet."""
    state: KeyState = KeyState()

    @property
    def is_rolled(self) -> bool:
        """Whether roll-ups answer it."""
        return self.state.is_rolled and (self.of is None or self.of in self.state.paired)

    def parts(self) -> list[Segment]:
        """The window, for figures."""
        if not self.is_rolled:
            return [Segment(None, self.first_us, self.end_us)]
        return segments(self.first_us, self.end_us, self.state.newest_us)


@dataclass(frozen=True, slots=True)
class Shape:
    """What kinds of keys questions are about, so that like questions are one statement, which is
    prepared once, whatever becomes of each.
    """

    sums: frozenset[KeyKind] = frozenset()
    values: frozenset[KeyKind] = frozenset()
    """Those whose different values are counted."""
    told_apart: tuple[KeyKind, ...] = ()
    """What these values are."""

    @staticmethod
    @lru_cache(maxsize=10_000)
    def of(asked: frozenset[tuple[KeyKind, KeyKind | None]]) -> "Shape":
        """As `CountSet.asked` says it."""
        return Shape(
            frozenset(key for key, of in asked if of is None),
            frozenset(key for key, of in asked if of is not None),
            tuple(sorted({of for _, of in asked if of is not None})),
        )


class Stretch(NamedTuple):
    """The purchases of a key from one microsecond until before another."""

    key: VelocityKey
    first: int
    end: int


PastPurchase = tuple[Any, ...]
"""A purchase as far as it counts for a key: its time, currency, quantity, amount, how often it was
unpaid, failed and refunded, and the values that are told apart: one, several or none of a kind.
"""
_OWN_COLUMNS = 7


class Past:
    """The purchases of a stretch in the order of their times, with running sums."""

    def __init__(self, purchases: Sequence[PastPurchase]) -> None:
        self._number = len(purchases)
        columns: list[tuple[Any, ...]] = [()] * _OWN_COLUMNS
        if purchases:
            columns = list(zip(*purchases, strict=True))
        ats, self._currencies, quantities, self._amounts, *ends = columns[:_OWN_COLUMNS]
        self._ats = [microseconds(at) for at in ats]
        self._values = columns[_OWN_COLUMNS:]
        self._sums = [[0, *accumulate(column)] for column in (quantities, *ends)]
        self._amounts_in: dict[str, list[int]] = {}

    def __bool__(self) -> bool:
        return self._number > 0

    @property
    def is_full(self) -> bool:
        """There may be more of them than were read."""
        return self._number >= PAST_MAX

    def all(self, currency: str) -> Figures:
        """As `figures`, of the whole stretch."""
        return self.figures(self._ats[0], self._ats[-1] + 1, currency) if self else NOTHING

    def figures(self, first_us: int, end_us: int, currency: str) -> Figures:
        """What is within the window, without the money of other currencies."""
        low, high = bisect_left(self._ats, first_us), bisect_left(self._ats, end_us)
        if low == high:
            return NOTHING
        amounts = self._amounts_in.get(currency)
        if amounts is None:
            own = map(_amount_in, repeat(currency), self._currencies, self._amounts)
            amounts = self._amounts_in[currency] = [0, *accumulate(own)]
        quantity, *ends = [sums[high] - sums[low] for sums in self._sums]
        return Figures(high - low, quantity, amounts[high] - amounts[low], *ends)

    def values(self, first_us: int, end_us: int, place: int) -> set[UUID]:
        """The different ones within the window, of the kind that has this place."""
        low, high = bisect_left(self._ats, first_us), bisect_left(self._ats, end_us)
        found: set[UUID] = set()
        if low == high:
            return found
        for value in self._values[place][low:high]:
            if isinstance(value, UUID):
                found.add(value)
            elif value is not None:
                found.update(value)
        return found


def _amount_in(wanted: str, currency: str, amount_minor: int) -> int:
    return amount_minor if currency == wanted else 0


NO_PAST = Past(())


class LookUp:
    """What is to be looked up for questions, and how their answers are made of it.

    A key that is counted one by one is one stretch, which holds all windows that are asked about.
    """

    def __init__(self, questions: Sequence[Question], shape: Shape) -> None:
        self.questions = questions
        self.shape = shape
        self.stretches: list[Stretch] = []
        self.sums: list[tuple[int, Segment]] = []
        """Question, buckets of its window."""
        self.pairs: list[int] = []
        """Questions about values that pairs answer."""
        self._edges: list[tuple[int, int]] = []
        """Question, stretch at an edge of its window."""
        self._whole: list[tuple[int, int]] = []
        """Question, stretch that holds all of its window."""
        self._places: dict[VelocityKey, int] = {}
        for number, question in enumerate(questions):
            self._add(number, question)

    def _add(self, number: int, question: Question) -> None:
        if not question.is_rolled:
            self._whole.append((number, self._place(question)))
        elif question.of is not None:
            self.pairs.append(number)
        else:
            for part in question.parts():
                if part.level is not None:
                    self.sums.append((number, part))
                    continue
                self._edges.append((number, len(self.stretches)))
                self.stretches.append(Stretch(question.key, part.first, part.end))

    def _place(self, question: Question) -> int:
        """That of the key's stretch, which covers the question's window from here on."""
        key, first, end = question.key, question.first_us, question.end_us
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self.stretches)
            self.stretches.append(Stretch(key, first, end))
            return place
        known = self.stretches[place]
        if first < known.first or end > known.end:
            self.stretches[place] = Stretch(key, min(first, known.first), max(end, known.end))
        return place

    def figures(
        self,
        pasts: Mapping[int, Past],
        sums: Iterable[tuple[int, Figures]],
        pairs: Iterable[tuple[int, int, bool]],
    ) -> tuple[list[Figures], set[int]]:
        """What was found as an answer to each question, and the numbers of those that are left for
        the database to count: of these, what is there already comes from buckets.

        Given are the purchases of each stretch that has any, sums of buckets by question, and for
        each question that pairs answer how many values there are and whether there may be more.
        """
        found = [NOTHING] * len(self.questions)
        left = {number for number, place in self._edges if pasts.get(place, NO_PAST).is_full}
        for number, more in sums:
            found[number] = found[number].plus(more)
        for number, place in self._edges:
            if number not in left and (past := pasts.get(place)):
                found[number] = found[number].plus(past.all(self.questions[number].currency))
        for number, values, is_unsure in pairs:
            found[number] = Figures(values)
            if is_unsure:
                left.add(number)
        for number, place in self._whole:
            past = pasts.get(place, NO_PAST)
            if past.is_full:
                left.add(number)
            else:
                found[number] = self._within(past, self.questions[number])
        return found, left

    def _within(self, past: Past, question: Question) -> Figures:
        first, end = question.first_us, question.end_us
        if question.of is None:
            return past.figures(first, end, question.currency)
        values = past.values(first, end, self.shape.told_apart.index(question.of))
        return Figures(min(DISTINCT_MAX, len(values | question.candidates)))


def segments(first_us: int, end_us: int, newest_us: int) -> list[Segment]:
    """The window from `first_us` until before `end_us` in as few buckets as possible, and purchases
    one by one for less than a minute at each edge. What begins after the newest purchase is left
    out.
    """
    parts: list[Segment] = []
    outer = [(first_us, end_us)]
    for level in (Level.DAY, Level.HOUR, Level.MINUTE):
        rest = []
        for first, end in outer:
            low, high = -level.floor(-first), level.floor(end)
            if low < high:
                parts.append(Segment(level, low, high))
                rest += [(first, low), (high, end)]
            else:
                rest.append((first, end))
        outer = rest
    parts += [Segment(None, first, end) for first, end in outer]
    return [it for it in parts if it.first < it.end and it.first <= newest_us]


def moment(at_us: int) -> datetime:
    """The inverse of `microseconds`."""
    return _EPOCH + timedelta(microseconds=at_us)


def microseconds(at: datetime) -> int:
    """Since 1970, exact: a float has too few digits."""
    return (at - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
