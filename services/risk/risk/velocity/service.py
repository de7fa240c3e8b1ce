from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from kit.loop import meanwhile
from kit.statements import Answer, Read
from risk.asking import Asked, Counts
from risk.counts import KeyKind
from risk.pasts import microseconds
from risk.rollups.service import RollupService
from risk.velocity.domain import KEPT, Purchase, Velocity
from risk.velocity.repository import LockedKeys, VelocityRepository
from risk.watches.domain import Watch, Watched
from risk.watches.service import WatchService
from risk.windows.domain import (
    Entry,
    KeyState,
    LookUp,
    Outcome,
    RolledKeys,
    Sighting,
    VelocityKey,
    is_answered_by,
)
from risk.windows.service import WindowService

FORGET_MAX = 1_000
"""Purchases in one transaction."""
Beside = Callable[[Sequence[Purchase]], Sequence[Read]]
"""What else is to be found out about purchases that are recorded."""
Renew = Callable[[Sequence[Answer]], Awaitable[Counts | None]]
"""Which counts are wanted after all, None for those that were; given what was found beside."""


async def _unchanged(_: Sequence[Answer]) -> None:
    return None


def _nothing_else(_: Sequence[Purchase]) -> Sequence[Read]:
    return ()


@dataclass(frozen=True, slots=True)
class Counted:
    """Purchases with their counts, and what was found beside, in the order it was asked."""

    purchases: list[tuple[Purchase, Velocity]]
    beside: list[Answer]
    known: frozenset[UUID] = frozenset()
    """Those that were recorded before."""


class VelocityService:
    """Counts purchases as if they came one by one, however they are batched."""

    def __init__(
        self,
        repository: VelocityRepository,
        watches: WatchService,
        windows: WindowService,
        rollups: RollupService,
    ) -> None:
        self._repository = repository
        self.watches = watches
        self._windows = windows
        self._rollups = rollups
        self._rolled = RolledKeys()

    async def record(
        self,
        tx: Transaction,
        purchases: Sequence[Purchase],
        counts: Counts,
        watched: Watched,
        beside: Beside,
        renew: Renew = _unchanged,
    ) -> Counted:
        """Records the purchases not seen before, in the order given, and counts for each of them.

        A count covers what was recorded up to that purchase, less than the window away from it.
        Purchases known already are left out: a repeat changes nothing. They are written at the end
        of the transaction; that raises Unavailable when somebody else recorded one meanwhile.
        `beside` says what else to ask about those that are recorded; with its answers `renew` says
        which counts are wanted, if not these: then all is counted again.
        """
        first: dict[UUID, Purchase] = {}
        for it in purchases:
            first.setdefault(it.id, it)
        fresh = list(first.values())
        watch = watched.of
        if len(fresh) == 1:
            states, words, found = await self._lock_and_count(tx, fresh, watch, counts, beside)
        else:
            # What is asked does not hang on the keys' states: it is worked out while they are
            # locked.
            (states, words), asked = await meanwhile(
                self._lock(tx, fresh, watch, {}), lambda: self._asked(fresh, counts, beside)
            )
            found = await self._count(tx, asked, states)
        renewed = await renew(found.beside)
        is_more_watched = words != watched.words
        if is_more_watched:
            # A rule came between: what it counts by is locked out of order, once.
            watch = (await self.watches.find(tx, watch)).of
            states, _ = await self._lock(tx, fresh, watch, states)
        if is_more_watched or renewed is not None:
            counts = counts if renewed is None else renewed
            found = await self._count(tx, self._asked(fresh, counts, beside), states)
        if found.known:
            fresh = [it for it in fresh if it.id not in found.known]
            repeats = [first[id_] for id_ in found.known]
            states = self._forget_repeats(tx, states, repeats, watch)
            if not fresh:
                return Counted([], [])
            found = await self._count(tx, self._asked(fresh, counts, beside), states)
        self._repository.add_purchases(tx, fresh)
        self._add(tx, fresh, states)
        return found

    def _asked(self, purchases: Sequence[Purchase], counts: Counts, beside: Beside) -> Asked:
        known = self._repository.find_known(purchases)
        return Asked(purchases, counts, [known, *beside(purchases)])

    async def _count(
        self, tx: Transaction, asked: Asked, states: Mapping[VelocityKey, KeyState]
    ) -> Counted:
        """The counts as if none of them were known already."""
        wanted = asked.look_up(states)
        answers = await tx.read_together(self._reads(asked, wanted))
        return await self._counted(tx, asked, wanted, states, answers)

    def _reads(self, asked: Asked, wanted: LookUp) -> list[Read]:
        """`_counted` reads what they find."""
        return [*asked.beside, *self._windows.ask(wanted)]

    async def _counted(
        self,
        tx: Transaction,
        asked: Asked,
        wanted: LookUp,
        states: Mapping[VelocityKey, KeyState],
        answers: Sequence[Answer],
    ) -> Counted:
        last = len(asked.beside)
        figures = await self._windows.figures(tx, wanted, answers[last:])
        alone = [[it] for it in asked.purchases]
        batches = alone if asked.are_apart else [asked.purchases]
        earlier = [it for some in batches for it in _earlier_purchases(some, states)]
        velocities = map(Velocity, asked.counts_of(figures), earlier)
        known, *others = answers[:last]
        return Counted(
            list(zip(asked.purchases, velocities, strict=True)),
            others,
            frozenset(id_ for (id_,) in known),
        )

    async def peek(
        self,
        tx: Transaction,
        purchases: Sequence[Purchase],
        counts: Counts,
        beside: Beside = _nothing_else,
    ) -> Counted:
        """What `record` would count for each of these purchases, if it came now and alone, without
        recording any. One statement, if their keys are as they are remembered; it needs no
        transaction.
        """
        keys = {key for it in purchases for kind in KeyKind for key in it.keys_of(kind)}
        known = self._repository.find_known(purchases)
        asked = Asked(purchases, counts, [known, *beside(purchases)], are_apart=True)
        guessed = self._rolled.guess(keys, max(microseconds(it.at) for it in purchases))
        wanted = asked.look_up(guessed)
        first, *answers = await tx.read_together(
            [self._repository.ask_keys(keys), *self._reads(asked, wanted)]
        )
        states = self._repository.found_keys(keys, first)
        self._rolled.note(states)
        with_it = {key: state.plus(1) for key, state in states.items()}
        if not is_answered_by(guessed, states):
            return await self._count(tx, asked, with_it)
        return await self._counted(tx, asked, wanted, with_it, answers)

    async def settle(self, tx: Transaction, outcomes: Sequence[tuple[UUID, Outcome]]) -> None:
        """Counts what became of purchases. Those that are not recorded here change nothing."""
        wanted: dict[UUID, list[Outcome]] = defaultdict(list)
        for purchase_id, outcome in outcomes:
            wanted[purchase_id].append(outcome)
        found = {it.id: it for it in await self._repository.find_settled(tx, wanted)}
        if not found:
            return
        watch = await self.watches.lock(tx, {it.merchant_id for it in found.values()})
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
        self._rollups.add(tx, entries)

    async def forget(self, tx: Transaction) -> list[UUID]:
        """At most FORGET_MAX purchases leave the counts; answers their keys, for `drop_idle`."""
        return await self._repository.forget(tx, KEPT, limit=FORGET_MAX)

    async def drop_idle(self, tx: Transaction, keys: Sequence[UUID]) -> None:
        """What is left of these keys and of roll-ups that no window reaches."""
        if keys:
            await self._repository.drop_idle(tx, keys, KEPT)
        await self._rollups.drop_old(tx, KEPT, keys)

    async def _lock(
        self,
        tx: Transaction,
        purchases: Sequence[Purchase],
        watch: Mapping[UUID, Watch],
        held: Mapping[VelocityKey, KeyState],
    ) -> tuple[dict[VelocityKey, KeyState], int]:
        """The keys that are counted, locked, with roll-ups where they have many purchases; and the
        words of what is watched, as in Watched. `held`: those that are locked already.
        """
        added = _added(purchases, watch)
        more = {key: some for key, some in added.items() if key not in held}
        locked = await self._repository.lock_keys(tx, _places(more), watch)
        return await self._roll_up(tx, added, locked, held, watch), locked.words

    async def _lock_and_count(
        self,
        tx: Transaction,
        purchases: Sequence[Purchase],
        watch: Mapping[UUID, Watch],
        counts: Counts,
        beside: Beside,
    ) -> tuple[dict[VelocityKey, KeyState], int, Counted]:
        """As `_lock` and `_count`, in one statement if nobody came between: nearly always so for a
        purchase that comes alone.
        """
        asked = self._asked(purchases, counts, beside)
        added = _added(purchases, watch)
        guessed = self._rolled.guess(added, max(microseconds(it.at) for it in purchases))
        wanted = asked.look_up(guessed)
        places = _places(added)
        first, *answers = await tx.read_together(
            [self._repository.ask_locks(places, watch), *self._reads(asked, wanted)]
        )
        locked, is_as_read = self._repository.found_locks(places, first)
        states = await self._roll_up(tx, added, locked, {}, watch)
        if is_as_read and is_answered_by(guessed, states):
            found = await self._counted(tx, asked, wanted, states, answers)
        else:
            found = await self._count(tx, asked, states)
        return states, locked.words, found

    async def _roll_up(
        self,
        tx: Transaction,
        added: Mapping[VelocityKey, Sequence[Purchase]],
        locked: LockedKeys,
        held: Mapping[VelocityKey, KeyState],
        watch: Mapping[UUID, Watch],
    ) -> dict[VelocityKey, KeyState]:
        """The states of the keys, with roll-ups where they have many purchases."""
        if locked.earlier:
            self._repository.add_totals(tx, locked.earlier)
        before = {
            key: it.plus(locked.earlier.get(key, 0) - len(added[key]))
            for key, it in {**held, **locked.states}.items()
        }
        pairs = {pair for it in watch.values() for pair in it.pairs}
        paired = await self._rollups.roll_up(tx, before, pairs)
        rolled = await self._repository.mark_rolled(tx, paired) if paired else {}
        rolled = {key: it._replace(total=before[key].total) for key, it in rolled.items()}
        self._rolled.note(before | rolled)
        return {key: it.plus(len(added[key])) for key, it in (before | rolled).items()}

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
        return states | {key: states[key].plus(number) for key, number in repeated.items()}

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
        self._rollups.add(
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
