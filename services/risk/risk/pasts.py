"""The purchases of one key in the order of their times, and what those of a window come to."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, repeat
from typing import Any, NamedTuple
from uuid import UUID

from risk.counts import Measure

PAST_MAX = 200
"""Purchases of a stretch that are counted here. Where there are more (at the edge of a window of a
very hot key, or of a key that nobody counted by so far) the database counts them.
"""


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


def moment(at_us: int) -> datetime:
    """The inverse of `microseconds`."""
    return _EPOCH + timedelta(microseconds=at_us)


def microseconds(at: datetime) -> int:
    """Since 1970, exact: a float has too few digits."""
    return (at - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
