from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from kit.db import Transaction
from kit.statements import Answer, Read
from risk.counts import CountFact, KeyKind
from risk.velocity.domain import KEPT, NOTHING, Alike, Purchase, Velocity, Watch, Watched
from risk.velocity.repository import VelocityRepository
from risk.windows.domain import (
    Entry,
    Figures,
    KeyState,
    Outcome,
    Question,
    Shape,
    Sighting,
    VelocityKey,
    microseconds,
)
from risk.windows.service import WindowService

FORGET_MAX = 1_000
"""Purchases in one transaction."""
NO_VALUES = frozenset[UUID]()
UNKNOWN_KEY = KeyState()
Counts = Mapping[UUID, Sequence[CountFact]]
"""Merchant -> the counts that its rules mention."""


Beside = Callable[[Sequence[Purchase]], Sequence[Read]]
"""What else is to be found out about purchases that are recorded."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Purchases with their counts, and what was found beside, in the order it was asked."""

    purchases: list[tuple[Purchase, Velocity]]
    beside: list[Answer]


class VelocityService:
    """Counts purchases as if they came one by one, however they are batched."""

    def __init__(self, repository: VelocityRepository, windows: WindowService) -> None:
        self._repository = repository
        self._windows = windows

    async def watch(self, tx: Transaction, merchant_id: UUID, counts: Sequence[CountFact]) -> None:
        """From here on every purchase of the merchant takes turns on the keys of these counts."""
        watched = (await self._repository.find_watch(tx, [merchant_id])).of[merchant_id]
        wanted = watched.with_counts(counts)
        if wanted != watched:
            await self._repository.extend_watch(tx, merchant_id, wanted)

    def ask_watched(self, merchants: Collection[UUID]) -> Read:
        """For `watched`; from here on nobody changes it until the transaction ends."""
        return self._repository.lock_watched(merchants)

    def watched(self, merchants: Collection[UUID], answer: Answer) -> Watched:
        """What is counted for each merchant, as `ask_watched` found it."""
        return self._repository.watched(merchants, answer)

    async def record(
        self,
        tx: Transaction,
        purchases: Sequence[Purchase],
        counts: Counts,
        watched: Watched,
        beside: Beside,
    ) -> Counted:
        """Records the purchases not seen before, in the order given, and counts for each of them.

        A count covers what was recorded up to that purchase, less than the window away from it.
        Purchases known already are left out: a repeat changes nothing. They are written at the end
        of the transaction; that raises Unavailable when somebody else recorded one meanwhile.
        `beside` says what else to ask about those that are recorded.
        """
        first: dict[UUID, Purchase] = {}
        for it in purchases:
            first.setdefault(it.id, it)
        fresh = list(first.values())
        watch, states = await self._lock(tx, fresh, watched)
        known, found = await self._count(tx, fresh, counts, states, beside)
        if known:
            fresh = [it for it in fresh if it.id not in known]
            repeats = [first[id_] for id_ in known]
            states = self._forget_repeats(tx, states, repeats, watch)
            if not fresh:
                return Counted([], [])
            _, found = await self._count(tx, fresh, counts, states, beside)
        self._repository.add_purchases(tx, fresh)
        self._add(tx, fresh, states)
        return found

    async def _count(
        self,
        tx: Transaction,
        purchases: Sequence[Purchase],
        counts: Counts,
        states: Mapping[VelocityKey, KeyState],
        beside: Beside,
    ) -> tuple[frozenset[UUID], Counted]:
        """Those that are known already, and the counts as if none of them were."""
        asked = _Asked(counts, states)
        for it in purchases:
            asked.ask(it)
        reads = [self._repository.find_known(purchases), *beside(purchases)]
        known, *others = await tx.read_together(reads + self._asking(asked))
        figures = self._windows.figures(asked.questions, others.pop() if asked.questions else ())
        earlier = _earlier_purchases(purchases, states)
        velocities = map(Velocity, asked.counts_of(figures), earlier)
        counted = Counted(list(zip(purchases, velocities, strict=True)), others)
        return frozenset(id_ for (id_,) in known), counted

    def _asking(self, asked: "_Asked") -> list[Read]:
        return [self._windows.ask(asked.questions, asked.shape)] if asked.questions else []

    async def peek(self, tx: Transaction, purchase: Purchase, counts: Counts) -> Velocity:
        """What `record` would count for this purchase now, without recording it."""
        keys = {key for kind in KeyKind for key in purchase.keys_of(kind)}
        states = await self._repository.find_keys(tx, keys)
        asked = _Asked(counts, states)
        asked.ask(purchase)
        answers = await tx.read_together(self._asking(asked)) if asked.questions else [()]
        figures = self._windows.figures(asked.questions, answers[0])
        earlier = [states[key].total for key in purchase.keys_of(KeyKind.CUSTOMER)]
        return Velocity(asked.counts_of(figures)[0], sum(earlier))

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
        locked = await self._repository.lock_keys(
            tx,
            {
                key: (it.merchant_id, 0, it.at)
                for it in found.values()
                for key in it.keys
                if key.kind in watch[it.merchant_id].kinds
            },
            watch,
        )
        states = locked.states
        settled = await self._repository.settle(tx, {it: wanted[it] for it in found})
        entries = [
            Entry(key, it.merchant_id, it.at, it.currency, figures)
            for it, figures in ((found[id_], figures) for id_, figures in settled.items())
            for key in it.keys
            if key in states and states[key].is_rolled
        ]
        self._windows.add(tx, entries)

    async def forget(self, tx: Transaction) -> list[UUID]:
        """At most FORGET_MAX purchases leave the counts; answers their keys, for `drop_idle`."""
        return await self._repository.forget(tx, KEPT, limit=FORGET_MAX)

    async def drop_idle(self, tx: Transaction, keys: Sequence[UUID]) -> None:
        """What is left of these keys and of roll-ups that no window reaches."""
        if keys:
            await self._repository.drop_idle(tx, keys, KEPT)
        await self._windows.drop_old(tx, KEPT, keys)

    async def _lock(
        self, tx: Transaction, purchases: Sequence[Purchase], watched: Watched
    ) -> tuple[Mapping[UUID, Watch], dict[VelocityKey, KeyState]]:
        """The keys that are counted, locked, with roll-ups where they have many purchases."""
        watch, added = watched.of, _added(purchases, watched.of)
        locked = await self._repository.lock_keys(tx, _places(added), watch)
        states, late = dict(locked.states), dict(locked.earlier)
        if locked.words != watched.words:
            # A rule came between: what it counts by is locked out of order, once.
            watch = (await self._repository.find_watch(tx, watch)).of
            more = {key: it for key, it in _added(purchases, watch).items() if key not in added}
            locked = await self._repository.lock_keys(tx, _places(more), watch)
            states |= locked.states
            late |= locked.earlier
            added |= more
        before = {
            key: replace(it, total=it.total - len(added[key]) + late.get(key, 0))
            for key, it in states.items()
        }
        if late:
            self._repository.add_totals(tx, late)
        pairs = {pair for it in watch.values() for pair in it.pairs}
        paired = await self._windows.roll_up(tx, before, pairs)
        rolled = await self._repository.mark_rolled(tx, paired) if paired else {}
        rolled = {key: replace(it, total=before[key].total) for key, it in rolled.items()}
        return watch, {
            key: replace(it, total=it.total + len(added[key]))
            for key, it in (before | rolled).items()
        }

    def _forget_repeats(
        self,
        tx: Transaction,
        states: dict[VelocityKey, KeyState],
        repeats: Iterable[Purchase],
        watch: Mapping[UUID, Watch],
    ) -> dict[VelocityKey, KeyState]:
        """Takes off the totals what was counted in the belief that it was new."""
        repeated: dict[VelocityKey, int] = defaultdict(int)
        for it in repeats:
            for key in _keys(it, watch[it.merchant_id].kinds):
                repeated[key] -= 1
        if repeated:
            self._repository.add_totals(tx, repeated)
        return states | {
            key: replace(states[key], total=states[key].total + number)
            for key, number in repeated.items()
        }

    def _add(
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
        self._windows.add(
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
        self.shape = Shape.of(count for some in counts.values() for count in some)
        self._beside = defaultdict[VelocityKey, Alike](Alike)
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


def _added(
    purchases: Iterable[Purchase], watch: Mapping[UUID, Watch]
) -> dict[VelocityKey, list[Purchase]]:
    """The purchases by the keys that they count for."""
    added = defaultdict[VelocityKey, list[Purchase]](list)
    for it in purchases:
        for key in _keys(it, watch[it.merchant_id].kinds):
            added[key].append(it)
    return dict(added)


def _places(
    added: Mapping[VelocityKey, Sequence[Purchase]],
) -> dict[VelocityKey, tuple[UUID, int, datetime]]:
    """Key -> its merchant, the number of purchases, the time of the newest."""
    return {
        key: (some[0].merchant_id, len(some), max(it.at for it in some))
        for key, some in added.items()
    }


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
