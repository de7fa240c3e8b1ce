"""What a window of one key holds, counted one by one or from roll-ups.

A key with few purchases is counted from the purchases themselves. One with many has buckets of a
minute, an hour and a day, so that 90 days are some 170 rows and less than a minute of purchases at
each edge, however hot the key is; and one row for each value ever seen with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from risk.counts import CountFact, KeyKind, Measure

ROLLED_FROM = 100
"""Purchases. Keys with more are counted from roll-ups: what a count reads stays bounded."""


@dataclass(frozen=True, slots=True)
class VelocityKey:
    """One thing purchases are counted by. `digest` names it without showing it."""

    kind: KeyKind
    digest: UUID


@dataclass(frozen=True, slots=True)
class Figures:
    """What purchases of one key within one window come to."""

    purchases: int = 0
    quantity: int = 0
    amount_minor: int = 0
    unpaid: int = 0
    failed: int = 0
    refunded: int = 0

    def plus(self, other: "Figures") -> "Figures":
        return Figures(
            self.purchases + other.purchases,
            self.quantity + other.quantity,
            self.amount_minor + other.amount_minor,
            self.unpaid + other.unpaid,
            self.failed + other.failed,
            self.refunded + other.refunded,
        )

    def of(self, measure: Measure) -> int:
        match measure:
            case Measure.PURCHASES:
                return self.purchases
            case Measure.QUANTITY:
                return self.quantity
            case Measure.AMOUNT:
                return self.amount_minor
            case Measure.UNPAID:
                return self.unpaid
            case Measure.FAILED:
                return self.failed
            case Measure.REFUNDED:
                return self.refunded
            case _:
                raise AssertionError(f"{measure} tells values apart")


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


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a window, microseconds from `first` until before `end`: whole buckets of a level,
    or, without one, purchases one by one.
    """

    level: Level | None
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
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

    @staticmethod
    def of(counts: Iterable[CountFact]) -> "Shape":
        counts = list(counts)
        return Shape(
            frozenset(it.key for it in counts if it.measure.of is None),
            frozenset(it.key for it in counts if it.measure.of is not None),
        )


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
