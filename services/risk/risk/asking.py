"""What purchases that come one after another ask, and how the answers add up."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from kit.statements import Read
from risk.counts import CountFact, CountsByKey, CountSet
from risk.pasts import Figures, microseconds
from risk.velocity.domain import Alike, Purchase
from risk.windows.domain import Inquiry, KeyState, LookUp, Shape, VelocityKey

Counts = Mapping[UUID, Sequence[CountFact]]
"""Merchant -> the counts that its rules mention."""


class Asked:
    """The questions of purchases that come one after another, or each alone (`are_apart`), and how
    their answers add up. `beside`: what else is asked.
    """

    def __init__(
        self,
        purchases: Sequence[Purchase],
        counts: Counts,
        beside: Sequence[Read] = (),
        *,
        are_apart: bool = False,
    ) -> None:
        self.purchases = purchases
        self.beside = beside
        self.are_apart = are_apart
        self._counts = {merchant_id: _set_of(some) for merchant_id, some in counts.items()}
        self._shape = Shape.of(frozenset().union(*(it.asked for it in self._counts.values())))
        self._alike = defaultdict[VelocityKey, Alike](partial(Alike, self._shape.told_apart))
        self._places: list[list[tuple[CountsByKey, list[int]]]] = []
        """For each purchase and kind of key the first question of each of its keys."""
        self._own: list[Figures] = []
        self._inquiries: list[Inquiry] = []
        for it in purchases:
            if are_apart:
                self._alike.clear()
            self._ask(it)

    def look_up(self, states: Mapping[VelocityKey, KeyState]) -> LookUp:
        """For all of them."""
        return LookUp(self._inquiries, states, self._shape)

    def counts_of(self, answers: Sequence[Figures]) -> list[dict[str, int]]:
        """For each purchase; of several keys of a kind (products) the one with the most counts."""
        figures = [own.plus(it) for own, it in zip(self._own, answers, strict=True)]
        return [self._counts_at(places, figures) for places in self._places]

    def _counts_at(
        self, places: Sequence[tuple[CountsByKey, Sequence[int]]], figures: Sequence[Figures]
    ) -> dict[str, int]:
        return {
            count.name: figures[firsts[0] + place].of(count.measure)
            if len(firsts) == 1
            else max((figures[first + place].of(count.measure) for first in firsts), default=0)
            for counts, firsts in places
            for place, group in enumerate(counts.groups)
            for count in group.counts
        }

    def _ask(self, purchase: Purchase) -> None:
        """The purchases asked about before are there too: nobody else knows of them yet."""
        at_us = microseconds(purchase.at)
        self._places.append(
            [
                (
                    counts,
                    [
                        self._ask_key(purchase, key, counts, at_us)
                        for key in purchase.keys_of(counts.kind)
                    ],
                )
                for counts in self._counts.get(purchase.merchant_id, NO_COUNTS).by_key
            ]
        )

    def _ask_key(
        self, purchase: Purchase, key: VelocityKey, counts: CountsByKey, at_us: int
    ) -> int:
        """What the groups ask of one key, in their order; the number of the first question."""
        first, alike = len(self._own), self._alike[key]
        alike.add(purchase, key)
        own, values = alike.around(purchase, counts.groups)
        self._own += own
        self._inquiries.append(Inquiry(key, purchase.currency, at_us, counts, values))
        return first


NO_COUNTS = CountSet()


def _set_of(counts: Sequence[CountFact]) -> CountSet:
    return counts if isinstance(counts, CountSet) else CountSet(counts)
