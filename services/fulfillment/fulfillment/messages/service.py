"""What is to be told: queued in the transaction that made it true, sent by somebody else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from fulfillment.bounces import read_report
from fulfillment.contacts.domain import mask_address
from fulfillment.contacts.service import ContactService
from fulfillment.deliveries.domain import Delivery, DeliveryState
from fulfillment.deliveries.service import DeliveryService
from fulfillment.messages.domain import (
    AddressRefused,
    Message,
    MessageNotFound,
    NoContact,
    NotAReport,
    NothingToSend,
    TooManyResends,
    Wanted,
)
from fulfillment.messages.repository import MessageRepository
from fulfillment.wording import Wording
from kit.db import Transaction
from kit.ids import new_id
from kit.logging import get_logger

log = get_logger(__name__)

NOTICES_MAX = 200
FORGET_BATCH_MAX = 500
_NO_UNITS = range(1, 1)


@dataclass(frozen=True, slots=True)
class Parts:
    """`usable`: a mail address and a phone number as they are written to, None for what is none.
    `resends_max` to one order in a day.
    """

    contacts: ContactService
    usable_email: Callable[[str], str | None]
    usable_phone: Callable[[str], str | None]
    resends_max: int
    retention: timedelta


class MessageService:
    """`wake` is called once something new is durable: with "notices" or "messages"."""

    def __init__(
        self,
        repository: MessageRepository,
        deliveries: DeliveryService,
        wording: Wording,
        wake: Callable[[str], None],
        parts: Parts,
    ) -> None:
        self._repository = repository
        self._deliveries = deliveries
        self._wording = wording
        self._wake = wake
        self._retention = parts.retention
        self._parts = parts

    async def send(self, tx: Transaction, wanted: Wanted) -> None:
        """Queues one message; see `send_many`."""
        await self.send_many(tx, [wanted])

    async def send_many(self, tx: Transaction, wanted: Sequence[Wanted]) -> None:
        """Queues messages to the buyers of these orders. Which words, channel and address each
        gets is decided when it is sent. What was wanted before, and what is about an order unknown
        here, changes nothing. Raises UnknownPurpose.
        """
        for purpose in {each.purpose for each in wanted}:
            self._wording.purpose(purpose)
        if wanted and await self._repository.add(tx, wanted):
            tx.on_commit(lambda: self._wake("messages"))

    def note(self, tx: Transaction, order_ids: Sequence[UUID]) -> None:
        """Something became of lines of these orders: whether there is something to tell is looked
        at once it is durable, when all of an order's lines can be seen together.
        """
        if order_ids:
            self._repository.note(tx, list(dict.fromkeys(order_ids)))
            tx.on_commit(lambda: self._wake("notices"))

    async def tell(self, tx: Transaction) -> bool:
        """Turns what was noted into messages; True when more may wait."""
        noted = await self._repository.take_notices(tx, NOTICES_MAX)
        if not noted:
            return False
        orders = await self._deliveries.find_orders(tx, list(dict.fromkeys(noted)), _NO_UNITS)
        told = [
            Wanted(request.merchant_id, request.order_id, purpose)
            for request, deliveries in orders.values()
            if (purpose := purpose_of(deliveries))
        ]
        await self.send_many(tx, told)
        return len(noted) == NOTICES_MAX

    async def get(self, tx: Transaction, merchant_id: UUID, message_id: UUID) -> Message:
        """Raises MessageNotFound."""
        found = await self._repository.find(tx, merchant_id, message_id)
        if found is None:
            raise MessageNotFound
        return found

    async def list_messages(
        self,
        tx: Transaction,
        merchant_id: UUID,
        filters: Mapping[str, Any],
        *,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Message]:
        """A merchant's messages with their attempts, newest first."""
        return await self._repository.list_messages(
            tx, merchant_id, filters, after=after, limit=limit
        )

    async def resend(
        self,
        tx: Transaction,
        merchant_id: UUID,
        delivery_id: UUID,
        *,
        email: str = "",
        phone: str = "",
        who: str,
    ) -> Message:
        """Tells the delivery's buyer again what became of the order, from now on at another address
        where one is given. Raises DeliveryNotFound, AddressRefused, NoContact, NothingToSend,
        TooManyResends.
        """
        delivery, _ = await self._deliveries.get_delivery(tx, merchant_id, delivery_id)
        order_id = delivery.order_id
        if email and self._parts.usable_email(email) is None:
            raise AddressRefused(field="email")
        if phone and self._parts.usable_phone(phone) is None:
            raise AddressRefused(field="phone")
        contact = await self._parts.contacts.correct(
            tx, merchant_id, order_id, email=email, phone=phone
        )
        if contact is None:
            raise NoContact
        used = await self.use_budget(tx, "resend", {order_id.bytes: 1}, timedelta(days=1))
        if used[order_id.bytes] > self._parts.resends_max:
            raise TooManyResends(retry_after_seconds=3_600)
        purpose = await self._purpose_now(tx, order_id)
        wanted = Wanted(
            merchant_id, order_id, purpose, delivery_id=delivery_id, key=f"resend:{new_id()}"
        )
        await self.send(tx, wanted)
        log.info(
            "message_resent",
            order_id=str(order_id),
            by=who,
            email=mask_address(email) if email else "",
            phone=mask_address(phone) if phone else "",
        )
        found = await self._repository.find_wanted(tx, wanted)
        if found is None:
            raise MessageNotFound
        return found

    async def bounce(self, tx: Transaction, merchant_id: UUID, report: bytes) -> Sequence[Message]:
        """Mails that a report says are lost: the next channel tells the buyer. Reported again, the
        same changes nothing. Raises NotAReport.
        """
        found = read_report(report)
        if not found:
            raise NotAReport
        bounced = {each.message_id: f"bounced_{each.status}".rstrip("_") for each in found}
        final = [each.name for each in self._wording.purposes.values() if each.is_secret]
        if await self._repository.bounce(tx, merchant_id, bounced, final):
            tx.on_commit(lambda: self._wake("messages"))
        messages = [
            await self._repository.find(tx, merchant_id, message_id) for message_id in bounced
        ]
        known = [message for message in messages if message is not None]
        if not known:
            raise NotAReport
        return known

    async def use_budget(
        self, tx: Transaction, scope: str, used: Mapping[bytes, int], window: timedelta
    ) -> Mapping[bytes, int]:
        """Counts what each subject uses in the window of now; answers what that makes, this use
        included: exact, however many ask at once.
        """
        return await self._repository.count_up(tx, scope, used, window)

    async def _purpose_now(self, tx: Transaction, order_id: UUID) -> str:
        """What there is to say about an order."""
        orders = await self._deliveries.find_orders(tx, [order_id], _NO_UNITS)
        _, deliveries = orders[order_id]
        states = {delivery.state for delivery in deliveries}
        purpose = purpose_of(deliveries)
        if states == {DeliveryState.DELIVERED, DeliveryState.FAILED}:
            purpose = "partially_delivered"
        if purpose is None:
            raise NothingToSend
        return purpose

    async def forget(self, tx: Transaction) -> bool:
        """Drops what old messages were about; True when more may wait."""
        gone = await self._repository.forget(tx, self._retention, FORGET_BATCH_MAX)
        return gone == FORGET_BATCH_MAX


def purpose_of(deliveries: Sequence[Delivery]) -> str | None:
    """What the state of an order's lines says by itself. What failed is told when `order` has
    decided what becomes of it: another way may be tried.
    """
    states = {delivery.state for delivery in deliveries}
    if states == {DeliveryState.DELIVERED}:
        return "delivered"
    return "unknown" if DeliveryState.UNKNOWN in states else None
