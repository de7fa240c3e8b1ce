from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from kit.db import Transaction
from risk.counts import CountFact, KeyKind
from risk.velocity.domain import ALWAYS_COUNTED, KEPT, Purchase, Velocity, Watch
from risk.velocity.repository import VelocityRepository
from risk.windows.domain import (
    Entry,
    Figures,
    KeyState,
    Outcome,
    Question,
    Sighting,
    VelocityKey,
    microseconds,
)
from risk.windows.service import WindowService

FORGET_MAX = 1_000
"""Purchases in one transaction."""
NOTHING = Figures()
NO_VALUES = frozenset[UUID]()
UNKNOWN_KEY = KeyState()
Counts = Mapping[UUID, Sequence[CountFact]]
"""Merchant -> the counts that its rules mention."""


class VelocityService:
    """Counts purchases as if they came one by one, however they are batched."""

    def __init__(self, repository: VelocityRepository, windows: WindowService) -> None:
        self._repository = repository
        self._windows = windows

    async def watch(self, tx: Transaction, merchant_id: UUID, counts: Sequence[CountFact]) -> None:
        """From here on every purchase of the merchant takes turns on the keys of these counts."""
        watched = (await self._repository.find_watch(tx, [merchant_id]))[merchant_id]
        wanted = watched.with_counts(counts)
        if wanted != watched:
            await self._repository.extend_watch(tx, merchant_id, wanted)

    async def record(
        self, tx: Transaction, purchases: Sequence[Purchase], counts: Counts
    ) -> list[tuple[Purchase, Velocity]]:
        """Records the purchases not seen before, in the order given, and counts for each of them.

        A count covers what was recorded up to that purchase, less than the window away from it.
        Purchases known already are left out: a repeat changes nothing.
        """
        first: dict[UUID, Purchase] = {}
        for it in purchases:
            first.setdefault(it.id, it)
        watch = await self._repository.lock_watch(tx, {it.merchant_id for it in first.values()})
        states = await self._lock(tx, list(first.values()), watch)
        places = await self._repository.add_purchases(tx, list(first.values()))
        fresh = [it for it in first.values() if it.id in places]
        states = await self._forget_repeats(tx, states, first.values(), fresh, watch)
        if not fresh:
            return []
        asked = _Asked(counts, states)
        for it in fresh:
            asked.ask(it)
        before_seq = min(places.values())
        answers = await self._windows.answer(tx, asked.questions, before_seq=before_seq)
        await self._add(tx, fresh, states)
        earlier = _earlier_purchases(fresh, states)
        return [
            (it, Velocity(found, number))
            for it, found, number in zip(fresh, asked.counts_of(answers), earlier, strict=True)
        ]

    async def peek(self, tx: Transaction, purchase: Purchase, counts: Counts) -> Velocity:
        """What `record` would count for this purchase now, without recording it."""
        keys = {key for kind in KeyKind for key in purchase.keys_of(kind)}
        states = await self._repository.find_keys(tx, keys)
        asked = _Asked(counts, states)
        asked.ask(purchase)
        answers = await self._windows.answer(tx, asked.questions)
        earlier = [states[key].total for key in purchase.keys_of(KeyKind.CUSTOMER)]
        return Velocity(asked.counts_of(answers)[0], sum(earlier))

    async def settle(self, tx: Transaction, outcomes: Sequence[tuple[UUID, Outcome]]) -> None:
        """Counts what became of purchases. Those that are not recorded here change nothing."""
        wanted: dict[UUID, list[Outcome]] = defaultdict(list)
        for purchase_id, outcome in outcomes:
            wanted[purchase_id].append(outcome)
        found = {it.id: it for it in await self._repository.find_settled(tx, wanted)}
        if not found:
            return
        watch = await self._repository.lock_watch(tx, {it.merchant_id for it in found.values()})
        # Locked in their order before the purchases, as when they were recorded.
        states = await self._repository.lock_keys(
            tx,
            {
                key: (it.merchant_id, 0, it.at)
                for it in found.values()
                for key in it.keys
                if key.kind in watch[it.merchant_id].kinds
            },
        )
        settled = await self._repository.settle(tx, {it: wanted[it] for it in found})
        entries = [
            Entry(key, it.merchant_id, it.at, it.currency, figures)
            for it, figures in ((found[id_], figures) for id_, figures in settled.items())
            for key in it.keys
            if key in states and states[key].is_rolled
        ]
        await self._windows.add(tx, entries)

    async def forget(self, tx: Transaction) -> list[UUID]:
        """At most FORGET_MAX purchases leave the counts; answers their keys, for `drop_idle`."""
        return await self._repository.forget(tx, KEPT, limit=FORGET_MAX)

    async def drop_idle(self, tx: Transaction, keys: Sequence[UUID]) -> None:
        """What is left of these keys and of roll-ups that no window reaches."""
        if keys:
            await self._repository.drop_idle(tx, keys, KEPT)
        await self._windows.drop_old(tx, KEPT, keys)

    async def _lock(
        self, tx: Transaction, purchases: Sequence[Purchase], watch: Mapping[UUID, Watch]
    ) -> dict[VelocityKey, KeyState]:
        """The keys that are counted, locked, with roll-ups where they have many purchases."""
        added = defaultdict[VelocityKey, list[Purchase]](list)
        for it in purchases:
            for key in _keys(it, watch[it.merchant_id].kinds):
                added[key].append(it)
        states = await self._repository.lock_keys(
            tx,
            {
                key: (some[0].merchant_id, len(some), max(it.at for it in some))
                for key, some in added.items()
            },
        )
        before = {key: replace(it, total=it.total - len(added[key])) for key, it in states.items()}
        unseen = [
            key for key, it in before.items() if it.total == 0 and key.kind not in ALWAYS_COUNTED
        ]
        found = await self._windows.count_few(tx, unseen)
        late = {key: number for key, number in found.items() if number}
        if late:
            await self._repository.add_totals(tx, late)
        before |= {key: replace(before[key], total=number) for key, number in late.items()}
        pairs = {pair for it in watch.values() for pair in it.pairs}
        paired = await self._windows.roll_up(tx, before, pairs)
        rolled = await self._repository.mark_rolled(tx, paired) if paired else {}
        rolled = {key: replace(it, total=before[key].total) for key, it in rolled.items()}
        return {
            key: replace(it, total=it.total + len(added[key]))
            for key, it in (before | rolled).items()
        }

    async def _forget_repeats(
        self,
        tx: Transaction,
        states: dict[VelocityKey, KeyState],
        given: Iterable[Purchase],
        fresh: Sequence[Purchase],
        watch: Mapping[UUID, Watch],
    ) -> dict[VelocityKey, KeyState]:
        """Takes off the totals what was counted in the belief that it was new."""
        known = {it.id for it in fresh}
        repeated: dict[VelocityKey, int] = defaultdict(int)
        for it in given:
            if it.id not in known:
                for key in _keys(it, watch[it.merchant_id].kinds):
                    repeated[key] -= 1
        if not repeated:
            return states
        await self._repository.add_totals(tx, repeated)
        return states | {
            key: replace(states[key], total=states[key].total + number)
            for key, number in repeated.items()
        }

    async def _add(
        self,
        tx: Transaction,
        purchases: Sequence[Purchase],
        states: Mapping[VelocityKey, KeyState],
    ) -> None:
        rolled = [
            (it, key)
            for it in purchases
            for key in _keys(it, KeyKind)
            if key in states and states[key].is_rolled
        ]
        await self._windows.add(
            tx,
            [
                Entry(key, it.merchant_id, it.at, it.currency, it.figures_for(key))
                for it, key in rolled
            ],
            [
                Sighting(key, it.merchant_id, it.at, of, value.digest)
                for it, key in rolled
                for of in states[key].paired
                for value in it.keys_of(of)
            ],
        )


class _Asked:
    """The questions of purchases that come one after another, and how their answers add up."""

    def __init__(self, counts: Counts, states: Mapping[VelocityKey, KeyState]) -> None:
        self._counts = counts
        self._states = states
        self._earlier = defaultdict[VelocityKey, list[Purchase]](list)
        self._numbers: list[list[tuple[CountFact, list[int]]]] = []
        self._own: list[Figures] = []
        self.questions: list[Question] = []

    def ask(self, purchase: Purchase) -> None:
        """The purchases asked about before are there too: nobody else knows of them yet."""
        for kind in KeyKind:
            for key in purchase.keys_of(kind):
                self._earlier[key].append(purchase)
        at_us = microseconds(purchase.at)
        known: dict[tuple[VelocityKey, int, KeyKind | None], int] = {}
        numbers = []
        for count in self._counts.get(purchase.merchant_id, ()):
            of, seconds, places = count.measure.of, count.seconds, []
            for key in purchase.keys_of(count.key):
                place = known.get((key, seconds, of))
                if place is None:
                    place = known[key, seconds, of] = len(self.questions)
                    self._add(purchase, at_us, key, seconds, of)
                places.append(place)
            numbers.append((count, places))
        self._numbers.append(numbers)

    def counts_of(self, answers: Sequence[Figures]) -> list[dict[str, int]]:
        """For each purchase; of several keys of a kind (products) the one with the most counts."""
        figures = [own.plus(it) for own, it in zip(self._own, answers, strict=True)]
        return [
            {
                count.name: max((_read(count, figures[place]) for place in places), default=0)
                for count, places in numbers
            }
            for numbers in self._numbers
        ]

    def _add(
        self, purchase: Purchase, at_us: int, key: VelocityKey, seconds: int, of: KeyKind | None
    ) -> None:
        near = self._earlier[key]
        if len(near) > 1:
            span = timedelta(seconds=seconds)
            near = [it for it in near if abs(it.at - purchase.at) < span]
        span_us = seconds * 1_000_000
        self._own.append(_sum(near, key, purchase.currency) if of is None else NOTHING)
        self.questions.append(
            Question(
                key,
                purchase.currency,
                at_us - span_us + 1,
                at_us + span_us,
                of,
                frozenset(value.digest for it in near for value in it.keys_of(of))
                if of
                else NO_VALUES,
                self._states.get(key, UNKNOWN_KEY),
            )
        )


def _sum(purchases: Sequence[Purchase], key: VelocityKey, currency: str) -> Figures:
    """What purchases that are not written down yet come to, in this currency."""
    total = NOTHING
    for purchase in purchases:
        figures = purchase.figures_for(key)
        if purchase.currency != currency:
            figures = replace(figures, amount_minor=0)
        total = figures if total is NOTHING else total.plus(figures)
    return total


def _read(count: CountFact, figures: Figures) -> int:
    return figures.purchases if count.measure.of is not None else figures.of(count.measure)


def _keys(purchase: Purchase, kinds: Iterable[KeyKind]) -> Iterator[VelocityKey]:
    return (key for kind in kinds for key in purchase.keys_of(kind))


def _earlier_purchases(
    purchases: Sequence[Purchase], states: Mapping[VelocityKey, KeyState]
) -> list[int]:
    """The totals count the whole batch already: walk it backwards, taking one off for each."""
    remaining = {key: it.total for key, it in states.items()}
    earlier = []
    for purchase in reversed(purchases):
        before = 0
        for key in purchase.keys_of(KeyKind.CUSTOMER):
            remaining[key] -= 1
            before = remaining[key]
        earlier.append(before)
    return earlier[::-1]
