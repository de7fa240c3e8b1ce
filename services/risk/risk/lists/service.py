from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from kit.db import Transaction
from kit.statements import Answer, Read
from risk.changes.domain import ChangeKind
from risk.changes.service import ChangeService
from risk.facts import FactKind, FactType, FactValue
from risk.lists.domain import (
    Contact,
    Entry,
    EntryKind,
    EntryNotFound,
    EntryRefused,
    EntryText,
    clear_contact,
    normal_value,
)
from risk.lists.repository import ListRepository
from risk.velocity.domain import Purchase


class ContactHasher(Protocol):
    """Who has the key of contacts' hashes."""

    async def hash(self, contacts: Sequence[Contact]) -> list[str]:
        """The hash of each, as purchases carry it. Raises Unavailable."""
        ...


class ListService:
    """Operators' lists, and the fact which of them a purchase is on."""

    facts: Sequence[FactKind] = (
        FactKind(
            "lists", FactType.STRINGS, "lists that something of the purchase is on, in their order"
        ),
    )

    def __init__(
        self, repository: ListRepository, contacts: ContactHasher, changes: ChangeService
    ) -> None:
        self._repository = repository
        self._contacts = contacts
        self._changes = changes

    async def hashed(self, entries: Sequence[EntryText]) -> Sequence[EntryText]:
        """With hashes in place of contacts in clear; the very same when there are none. Outside of
        a transaction. Raises EntryRefused, Unavailable.
        """
        clear: dict[int, Contact] = {}
        for number, it in enumerate(entries):
            try:
                contact = clear_contact(it.kind, it.value)
            except ValueError as error:
                raise EntryRefused(number, str(error)) from None
            if contact is not None:
                clear[number] = contact
        if not clear:
            return entries
        hashes = dict(zip(clear, await self._contacts.hash(list(clear.values())), strict=True))
        return [
            replace(it, value=hashes[number]) if number in hashes else it
            for number, it in enumerate(entries)
        ]

    def ask(self, purchases: Sequence[Purchase]) -> Read:
        return self._repository.meet(purchases)

    def know(
        self, purchases: Sequence[Purchase], answer: Answer
    ) -> Sequence[Mapping[str, FactValue]]:
        met: dict[int, set[str]] = defaultdict(set)
        for number, name in answer:
            met[number].add(name)
        return [{"lists": tuple(sorted(met[number]))} for number in range(len(purchases))]

    async def put(
        self,
        tx: Transaction,
        merchant_id: UUID,
        name: str,
        entries: Sequence[EntryText],
        *,
        author: str,
    ) -> list[Entry]:
        """Adds all of them or none; what is on the list already gets the new reason and end.

        The last one counts when a value comes several times. Raises EntryRefused.
        """
        wanted: dict[tuple[EntryKind, str], EntryText] = {}
        for number, it in enumerate(entries):
            try:
                value = normal_value(it.kind, it.value)
            except ValueError as error:
                raise EntryRefused(number, str(error)) from error
            wanted[it.kind, value] = replace(it, value=value)
        put, replaced = await self._repository.put(
            tx, merchant_id, name, list(wanted.values()), author=author
        )
        were = [(it.id, it.record()) for it in replaced]
        await self._changes.note(tx, merchant_id, ChangeKind.ENTRY_REPLACED, were, author=author)
        return put

    async def find(
        self, tx: Transaction, merchant_id: UUID, name: str, wanted: EntryText
    ) -> Entry | None:
        """What the list says of this value, also when it counts no more. Raises EntryRefused."""
        try:
            value = normal_value(wanted.kind, wanted.value)
        except ValueError as error:
            raise EntryRefused(0, str(error)) from error
        found = await self._repository.list_entries(
            tx,
            merchant_id,
            name,
            kind=wanted.kind,
            value=value,
            with_expired=True,
            before=None,
            limit=1,
        )
        return found[0] if found else None

    async def list_entries(
        self,
        tx: Transaction,
        merchant_id: UUID,
        name: str,
        *,
        kind: EntryKind | None,
        value: str | None,
        with_expired: bool,
        before: UUID | None,
        limit: int,
    ) -> list[Entry]:
        """Newest first."""
        return await self._repository.list_entries(
            tx,
            merchant_id,
            name,
            kind=kind,
            value=value,
            with_expired=with_expired,
            before=before,
            limit=limit,
        )

    async def drop(
        self, tx: Transaction, merchant_id: UUID, name: str, entry_id: UUID, *, author: str
    ) -> None:
        """Raises EntryNotFound."""
        gone = await self._repository.drop(tx, merchant_id, name, entry_id)
        if gone is None:
            raise EntryNotFound(entry_id=str(entry_id))
        were = [(gone.id, gone.record())]
        await self._changes.note(tx, merchant_id, ChangeKind.ENTRY_REMOVED, were, author=author)
