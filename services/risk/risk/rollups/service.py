from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from kit.db import Transaction
from risk.counts import KeyKind
from risk.rollups.repository import RollupRepository
from risk.windows.domain import ROLLED_FROM, Entry, KeyState, Sighting, VelocityKey


class RollupService:
    """Roll-ups of the keys that many purchases have. Who adds to them holds the keys' locks."""

    def __init__(self, repository: RollupRepository) -> None:
        self._repository = repository

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

    async def drop_old(self, tx: Transaction, kept: timedelta, keys: Collection[UUID]) -> None:
        """Buckets that are older, and pairs of these keys whose last time is."""
        await self._repository.drop_old(tx, kept, keys)

    def add(
        self, tx: Transaction, entries: Sequence[Entry], sightings: Sequence[Sighting] = ()
    ) -> None:
        """Adds to the roll-ups of rolled keys, with what else is left for the transaction's end."""
        if entries:
            self._repository.add_entries(tx, entries)
        if sightings:
            self._repository.add_sightings(tx, sightings)


def _kinds_of(key: VelocityKey, pairs: Collection[tuple[KeyKind, KeyKind]]) -> frozenset[KeyKind]:
    return frozenset(of for kind, of in pairs if kind is key.kind)
