from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

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
    ) -> dict[VelocityKey, frozenset[KeyKind]]:
        """Builds the roll-ups that keys with many purchases lack; answers these keys, with the
        kinds of values they have pairs with now.

        Before the batch at hand is written down: what is built holds what came before it.
        """
        many = {key: it for key, it in states.items() if it.is_rolled or it.total >= ROLLED_FROM}
        new = [key for key, it in many.items() if not it.is_rolled]
        missing = {key: _kinds_of(key, pairs) - it.paired for key, it in many.items()}
        wanted = {key: kinds for key, kinds in missing.items() if kinds or key in new}
        if new:
            await self._repository.roll(tx, new)
        if wanted:
            await self._repository.pair(tx, wanted)
        return {key: kinds | many[key].paired for key, kinds in wanted.items()}

    async def answer(
        self, tx: Transaction, questions: Sequence[Question], *, before_seq: int | None = None
    ) -> list[Figures]:
        """Of purchases recorded before `before_seq`, or of all."""
        return await self._repository.answer(tx, questions, before_seq=before_seq)

    async def drop_old(self, tx: Transaction, kept: timedelta, keys: Collection[UUID]) -> None:
        """Buckets that are older, and pairs of these keys whose last time is."""
        await self._repository.drop_old(tx, kept, keys)

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
