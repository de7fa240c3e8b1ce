"""What a window of one key holds, counted one by one or from roll-ups.

A key with few purchases is counted from the purchases themselves: they are read once, whatever is
asked about them. One with many has buckets of a minute, an hour and a day, so that 90 days are some
170 rows and less than a minute of purchases at each edge, however hot the key is; and one row for
each value ever seen with it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from risk.counts import DISTINCT_MAX, CountsByKey, KeyKind
from risk.pasts import NO_PAST, NOTHING, Figures, Past

ROLLED_FROM = 100
"""Purchases. Keys with more are counted from roll-ups: what a count reads stays bounded."""


@dataclass(frozen=True, slots=True)
class VelocityKey:
    """One thing purchases are counted by. `digest` names it without showing it."""

    kind: KeyKind
    digest: UUID

    def __hash__(self) -> int:
        # The digest names its kind too; a decision looks up keys some hundred times.
        return hash(self.digest.int)


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


class KeyState(NamedTuple):
    """What is known of a key; true as long as it is locked."""

    total: int = 0
    """Purchases ever recorded, those of this batch included."""
    newest_us: int = 0
    is_rolled: bool = False
    paired: frozenset[KeyKind] = frozenset()

    def plus(self, purchases: int) -> "KeyState":
        """With so many purchases more."""
        return KeyState(self.total + purchases, self.newest_us, self.is_rolled, self.paired)


UNKNOWN_KEY = KeyState()
ROLLED_KEPT_MAX = 100_000
"""Keys, about 300 bytes each."""


class RolledKeys:
    """Keys that were last seen with roll-ups. Few have them, and they keep them: nearly every guess
    is right, and who guesses finds the state out with the answers.
    """

    def __init__(self) -> None:
        self._kept: dict[VelocityKey, KeyState] = {}

    def guess(self, keys: Iterable[VelocityKey], until_us: int) -> dict[VelocityKey, KeyState]:
        """Those of the keys that are remembered, as if they had purchases until then."""
        return {
            key: kept._replace(newest_us=max(kept.newest_us, until_us))
            for key in keys
            if (kept := self._kept.get(key)) is not None
        }

    def note(self, states: Mapping[VelocityKey, KeyState]) -> None:
        """As they are now."""
        for key, state in states.items():
            if state.is_rolled:
                self._kept[key] = state
            else:
                self._kept.pop(key, None)
        if len(self._kept) > ROLLED_KEPT_MAX:
            self._kept.clear()


def is_answered_by(
    guessed: Mapping[VelocityKey, KeyState], states: Mapping[VelocityKey, KeyState]
) -> bool:
    """Whether what was asked by these guesses answers for these states too."""
    return all(_covers(guessed.get(key, UNKNOWN_KEY), state) for key, state in states.items())


def _covers(guess: KeyState, state: KeyState) -> bool:
    if not state.is_rolled or not guess.is_rolled:
        return state.is_rolled == guess.is_rolled
    return guess.paired == state.paired and guess.newest_us >= state.newest_us


class Level(StrEnum):
    """The lengths of roll-ups."""

    MINUTE = "m"
    HOUR = "h"
    DAY = "d"


_LENGTHS_US = (
    (Level.DAY, 86_400_000_000),
    (Level.HOUR, 3_600_000_000),
    (Level.MINUTE, 60_000_000),
)


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


class Inquiry(NamedTuple):
    """What counts ask of a key for one purchase: a window around its time for each group."""

    key: VelocityKey
    currency: str
    at_us: int
    counts: CountsByKey
    candidates: Sequence[frozenset[UUID]]
    """For each group: values that are there for certain, of purchases not written down yet."""

    def questions(self, state: KeyState) -> Iterator[Question]:
        """One for each group, with what is known of the key."""
        for group, candidates in zip(self.counts.groups, self.candidates, strict=True):
            first, end = self.at_us - group.span_us + 1, self.at_us + group.span_us
            yield Question(self.key, self.currency, first, end, group.of, candidates, state)


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


class LookUp:
    """What is to be looked up for inquiries, and how their answers are made of it. An inquiry has
    as many questions as groups of counts, numbered one after the other.

    A key that is counted one by one is one stretch, which holds all windows that are asked about.
    """

    def __init__(
        self, inquiries: Sequence[Inquiry], states: Mapping[VelocityKey, KeyState], shape: Shape
    ) -> None:
        self.shape = shape
        self.stretches: list[Stretch] = []
        self.sums: list[tuple[int, Question, Segment]] = []
        """Questions that buckets answer, with buckets of their windows."""
        self.pairs: list[tuple[int, Question]] = []
        """Questions about values that pairs answer."""
        self._inquiries: list[tuple[int, Inquiry, KeyState]] = []
        """With the number of its first question, and what is known of its key."""
        self._edges: list[tuple[int, int, str]] = []
        """Question, stretch at an edge of its window, currency."""
        self._whole: list[tuple[int, Inquiry, int]] = []
        """First question, inquiry, stretch that holds all of its windows."""
        self._alone: list[tuple[int, Question, int]] = []
        """Questions that roll-ups do not answer, though they do others of the inquiry."""
        self._places: dict[VelocityKey, int] = {}
        self._questions = 0
        for inquiry in inquiries:
            self._add(inquiry, states.get(inquiry.key, UNKNOWN_KEY))

    def __bool__(self) -> bool:
        return self._questions > 0

    def _add(self, inquiry: Inquiry, state: KeyState) -> None:
        number = self._questions
        self._inquiries.append((number, inquiry, state))
        self._questions += len(inquiry.counts.groups)
        if state.is_rolled:
            for place, question in enumerate(inquiry.questions(state), number):
                self._add_question(place, question)
            return
        at_us, span_us = inquiry.at_us, inquiry.counts.span_us
        place = self._place(inquiry.key, at_us - span_us + 1, at_us + span_us)
        self._whole.append((number, inquiry, place))

    def _add_question(self, number: int, question: Question) -> None:
        if not question.is_rolled:
            place = self._place(question.key, question.first_us, question.end_us)
            self._alone.append((number, question, place))
        elif question.of is not None:
            self.pairs.append((number, question))
        else:
            for part in question.parts():
                if part.level is not None:
                    self.sums.append((number, question, part))
                    continue
                self._edges.append((number, len(self.stretches), question.currency))
                self.stretches.append(Stretch(question.key, part.first, part.end))

    def _place(self, key: VelocityKey, first: int, end: int) -> int:
        """That of the key's stretch, which covers this window from here on."""
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
        found = [NOTHING] * self._questions
        left = {number for number, place, _ in self._edges if pasts.get(place, NO_PAST).is_full}
        for number, more in sums:
            found[number] = found[number].plus(more)
        for number, place, currency in self._edges:
            if number not in left and (past := pasts.get(place)):
                found[number] = found[number].plus(past.all(currency))
        for number, values, is_unsure in pairs:
            found[number] = Figures(values)
            if is_unsure:
                left.add(number)
        self._find_whole(pasts, found, left)
        return found, left

    def _find_whole(self, pasts: Mapping[int, Past], found: list[Figures], left: set[int]) -> None:
        for number, question, place in self._alone:
            past = pasts.get(place, NO_PAST)
            if past.is_full:
                left.add(number)
            else:
                found[number] = self._within(past, question)
        for number, inquiry, place in self._whole:
            last = number + len(inquiry.counts.groups)
            past = pasts.get(place, NO_PAST)
            if past.is_full:
                left.update(range(number, last))
            else:
                found[number:last] = self._windows(past, inquiry)

    def left(self, numbers: Collection[int]) -> dict[int, Question]:
        """The questions of these numbers."""
        return {
            number: question
            for first, inquiry, state in self._inquiries
            if any(first <= it < first + len(inquiry.counts.groups) for it in numbers)
            for number, question in enumerate(inquiry.questions(state), first)
            if number in numbers
        }

    def _within(self, past: Past, question: Question) -> Figures:
        return self._window(
            past,
            question.first_us,
            question.end_us,
            question.currency,
            question.of,
            question.candidates,
        )

    def _windows(self, past: Past, inquiry: Inquiry) -> Iterator[Figures]:
        at_us, currency = inquiry.at_us, inquiry.currency
        for group, candidates in zip(inquiry.counts.groups, inquiry.candidates, strict=True):
            first, end = at_us - group.span_us + 1, at_us + group.span_us
            yield self._window(past, first, end, currency, group.of, candidates)

    def _window(
        self,
        past: Past,
        first: int,
        end: int,
        currency: str,
        of: KeyKind | None,
        candidates: frozenset[UUID],
    ) -> Figures:
        if of is None:
            return past.figures(first, end, currency)
        values = past.values(first, end, self.shape.told_apart.index(of))
        return Figures(min(DISTINCT_MAX, len(values | candidates)))


def segments(first_us: int, end_us: int, newest_us: int) -> list[Segment]:
    """The window from `first_us` until before `end_us` in as few buckets as possible, and purchases
    one by one for less than a minute at each edge. What begins after the newest purchase is left
    out.
    """
    parts: list[Segment] = []
    outer = [(first_us, end_us)]
    for level, length in _LENGTHS_US:
        rest = []
        for first, end in outer:
            low, high = -(-first // length) * length, end // length * length
            if low < high:
                parts.append(Segment(level, low, high))
                rest += [(first, low), (high, end)]
            else:
                rest.append((first, end))
        outer = [(first, end) for first, end in rest if first < end and first <= newest_us]
    parts += [Segment(None, first, end) for first, end in outer]
    return [it for it in parts if it.first < it.end and it.first <= newest_us]
