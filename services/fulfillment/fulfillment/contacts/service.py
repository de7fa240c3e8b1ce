"""Who can be reached how, per order. Nothing else in this service keeps an address."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from fulfillment.contacts.domain import Contact
from fulfillment.contacts.repository import ContactRepository
from kit.db import Transaction

FORGET_BATCH_MAX = 500


class ContactService:
    def __init__(self, repository: ContactRepository, *, retention: timedelta) -> None:
        self._repository = repository
        self._retention = retention

    def keep(self, tx: Transaction, contacts: Sequence[Contact]) -> None:
        """Stores the contacts of orders; the first word about an order counts."""
        first = {contact.order_id: contact for contact in reversed(contacts)}
        if first:
            self._repository.add(tx, list(first.values()))

    async def find_many(self, tx: Transaction, order_ids: Sequence[UUID]) -> Mapping[UUID, Contact]:
        """Those that are known still; they are forgotten after the retention time."""
        return await self._repository.find_many(tx, order_ids) if order_ids else {}

    async def correct(
        self, tx: Transaction, merchant_id: UUID, order_id: UUID, *, email: str, phone: str
    ) -> Contact | None:
        """Other addresses from now on, where one is given; None when nothing is known any more."""
        contact = await self._repository.lock(tx, merchant_id, order_id)
        if contact is None:
            return None
        changed = replace(contact, email=email or contact.email, phone=phone or contact.phone)
        if changed != contact:
            await self._repository.change(tx, changed)
        return changed

    def fingerprint(self, address: str) -> bytes:
        """The same for every spelling of one address."""
        return self._repository.fingerprint(address)

    async def forget(self, tx: Transaction) -> bool:
        """Drops what is older than the retention time; True when more may wait."""
        gone = await self._repository.forget(tx, self._retention, FORGET_BATCH_MAX)
        return gone == FORGET_BATCH_MAX
