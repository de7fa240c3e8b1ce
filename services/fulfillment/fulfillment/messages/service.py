"""What is to be told: queued in the transaction that made it true, sent by somebody else."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from fulfillment.deliveries.domain import Delivery, DeliveryState
from fulfillment.deliveries.service import DeliveryService
from fulfillment.messages.domain import Message, MessageNotFound, Wanted
from fulfillment.messages.repository import MessageRepository
from fulfillment.wording import Wording
from kit.db import Transaction

NOTICES_MAX = 200
FORGET_BATCH_MAX = 500
_NO_UNITS = range(1, 1)


class MessageService:
    """`wake` is called once something new is durable: with "notices" or "messages"."""

    def __init__(
        self,
        repository: MessageRepository,
        deliveries: DeliveryService,
        wording: Wording,
        wake: Callable[[str], None],
        *,
        retention: timedelta,
    ) -> None:
        self._repository = repository
        self._deliveries = deliveries
        self._wording = wording
        self._wake = wake
        self._retention = retention

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

    async def note(self, tx: Transaction, order_ids: Sequence[UUID]) -> None:
        """Something became of lines of these orders: whether there is something to tell is looked
        at once it is durable, when all of an order's lines can be seen together.
        """
        if order_ids:
            await self._repository.note(tx, list(dict.fromkeys(order_ids)))
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
