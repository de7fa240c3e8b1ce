from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from kit.db import Transaction
from risk.counts import CountFact, KeyKind
from risk.facts import UNKNOWN_TIME
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


class _Beside:
    """The purchases of a batch that have one key, as they come."""

    def __init__(self) -> None:
        self._purchases: list[tuple[Purchase, Figures]] = []
        self._totals: dict[str, Figures] = {}
        self._values: dict[KeyKind, set[UUID]] = defaultdict(set)
        self._first = self._last = UNKNOWN_TIME

    def add(self, purchase: Purchase, key: VelocityKey) -> None:
        figures = purchase.figures_for(key)
        if not self._purchases:
            self._first = self._last = purchase.at
        self._first, self._last = min(self._first, purchase.at), max(self._last, purchase.at)
        self._purchases.append((purchase, figures))
        total = self._totals.get(purchase.currency, NOTHING)
        self._totals[purchase.currency] = total.plus(figures)
        for kind in KeyKind:
            self._values[kind].update(value.digest for value in purchase.keys_of(kind))

    def sum(self, at: datetime, span: timedelta, currency: str) -> Figures:
        """What is within the window, without the money of other currencies."""
        if not self._are_all_near(at, span):
            return _sum(self._sums_near(at, span), currency)
        return _sum(self._totals, currency)

    def values(self, at: datetime, span: timedelta, of: KeyKind) -> frozenset[UUID]:
        if self._are_all_near(at, span):
            return frozenset(self._values[of])
        near = (it for it, _ in self._purchases if abs(it.at - at) < span)
        return frozenset(value.digest for it in near for value in it.keys_of(of))

    def _are_all_near(self, at: datetime, span: timedelta) -> bool:
        """A batch is moments long, most windows are longer."""
        return at - self._first < span and self._last - at < span

    def _sums_near(self, at: datetime, span: timedelta) -> dict[str, Figures]:
        totals: dict[str, Figures] = {}
        for purchase, figures in self._purchases:
            if abs(purchase.at - at) < span:
                total = totals.get(purchase.currency, NOTHING)
                totals[purchase.currency] = total.plus(figures)
        return totals


def _sum(totals: Mapping[str, Figures], currency: str) -> Figures:
    total = NOTHING
    for other, figures in totals.items():
        total = total.plus(figures if other == currency else replace(figures, amount_minor=0))
    return total


class _Asked:
    """The questions of purchases that come one after another, and how their answers add up."""

    def __init__(self, counts: Counts, states: Mapping[VelocityKey, KeyState]) -> None:
        self._counts = counts
        self._states = states
        self._beside = defaultdict[VelocityKey, _Beside](_Beside)
        self._numbers: list[list[tuple[CountFact, list[int]]]] = []
        self._own: list[Figures] = []
        self.questions: list[Question] = []

    def ask(self, purchase: Purchase) -> None:
        """The purchases asked about before are there too: nobody else knows of them yet."""
        counts = self._counts.get(purchase.merchant_id, ())
        for kind in {count.key for count in counts}:
            for key in purchase.keys_of(kind):
                self._beside[key].add(purchase, key)
        known: dict[tuple[VelocityKey, int, KeyKind | None], int] = {}
        numbers = []
        for count in counts:
            of, seconds, places = count.measure.of, count.seconds, []
            for key in purchase.keys_of(count.key):
                place = known.get((key, seconds, of))
                if place is None:
                    place = known[key, seconds, of] = len(self.questions)
                    self._add(purchase, key, seconds, of)
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

    def _add(self, purchase: Purchase, key: VelocityKey, seconds: int, of: KeyKind | None) -> None:
        beside, span = self._beside[key], timedelta(seconds=seconds)
        at_us, span_us = microseconds(purchase.at), seconds * 1_000_000
        own = beside.sum(purchase.at, span, purchase.currency) if of is None else NOTHING
        self._own.append(own)
        self.questions.append(
            Question(
                key,
                purchase.currency,
                at_us - span_us + 1,
                at_us + span_us,
                of,
                beside.values(purchase.at, span, of) if of else NO_VALUES,
                self._states.get(key, UNKNOWN_KEY),
            )
        )


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
