from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from kit.db import Transaction
from kit.statements import Answer, Read
from risk.counts import KeyKind
from risk.windows.domain import (
    ROLLED_FROM,
    Entry,
    Figures,
    KeyState,
    Question,
    Shape,
    Sighting,
    VelocityKey,
)
from risk.windows.repository import WindowRepository


class WindowService:
    """What windows of keys hold. Who asks to the point, or adds, holds the keys' locks."""

    def __init__(self, repository: WindowRepository) -> None:
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

    def ask(self, questions: Sequence[Question], shape: Shape) -> Read:
        """`figures` reads what it finds; `shape` covers all of the questions."""
        return self._repository.ask(questions, shape)

    def figures(self, questions: Sequence[Question], answer: Answer) -> list[Figures]:
        """What each question's window holds of the purchases that are written down; of a question
        about different values only `purchases`, which is their number.
        """
        found = [[0] * 6 for _ in questions]
        for number, *sums in answer:
            found[number] = [one + more for one, more in zip(found[number], sums, strict=True)]
        return [Figures(*sums) for sums in found]

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
