from collections.abc import Collection, Mapping, Sequence

from kit.db import Transaction
from risk.counts import KeyKind
from risk.windows.domain import (
    ROLLED_FROM,
    Entry,
    Figures,
    KeyState,
    Question,
    Sighting,
    VelocityKey,
)
from risk.windows.repository import WindowRepository


class WindowService:
    """What windows of keys hold. Who asks to the point, or adds, holds the keys' locks."""

    def __init__(self, repository: WindowRepository) -> None:
        self._repository = repository

    async def count_few(
        self, tx: Transaction, keys: Collection[VelocityKey]
    ) -> dict[VelocityKey, int]:
        """Purchases written down for each key, ROLLED_FROM at most."""
        return await self._repository.count_few(tx, keys) if keys else {}

    async def roll_up(
        self,
        tx: Transaction,
        states: Mapping[VelocityKey, KeyState],
        pairs: Collection[tuple[KeyKind, KeyKind]],
    ) -> dict[VelocityKey, KeyState]:
        """Builds the roll-ups that keys with many purchases lack; answers the keys that changed.

        Before the batch at hand is written down: what is built holds what came before it.
        """
        new = [key for key, it in states.items() if not it.is_rolled and it.total >= ROLLED_FROM]
        wanted = {
            key: missing
            for key, it in states.items()
            if (it.is_rolled or it.total >= ROLLED_FROM)
            and ((missing := _kinds_of(key, pairs) - it.paired) or not it.is_rolled)
        }
        if new:
            await self._repository.roll(tx, new)
        if wanted:
            await self._repository.pair(tx, wanted)
        return {
            key: KeyState(
                states[key].total,
                states[key].newest_us,
                is_rolled=True,
                paired=states[key].paired | kinds,
            )
            for key, kinds in wanted.items()
        }

    async def answer(
        self, tx: Transaction, questions: Sequence[Question], *, before_seq: int | None = None
    ) -> list[Figures]:
        """Of purchases recorded before `before_seq`, or of all."""
        return await self._repository.answer(tx, questions, before_seq=before_seq)

    async def add(
        self, tx: Transaction, entries: Sequence[Entry], sightings: Sequence[Sighting] = ()
    ) -> None:
        """Adds to the roll-ups of rolled keys."""
        if entries:
            await self._repository.add_entries(tx, entries)
        if sightings:
            await self._repository.add_sightings(tx, sightings)


def _kinds_of(key: VelocityKey, pairs: Collection[tuple[KeyKind, KeyKind]]) -> frozenset[KeyKind]:
    return frozenset(of for kind, of in pairs if kind is key.kind)
