"""Messages that a shop shows its customers itself."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from fulfillment.inbox.domain import InboxMessage, InboxMessageNotFound
from fulfillment.inbox.repository import InboxRepository
from kit.db import Transaction

FORGET_BATCH_MAX = 500


class InboxService:
    def __init__(self, repository: InboxRepository, *, retention: timedelta) -> None:
        self._repository = repository
        self._retention = retention

    async def put_many(self, tx: Transaction, messages: Sequence[InboxMessage]) -> None:
        """Into the customers' inboxes, each once."""
        await self._repository.add(tx, messages)

    async def list_messages(
        self,
        tx: Transaction,
        merchant_id: UUID,
        customer_id: str,
        *,
        after: UUID | None,
        limit: int,
    ) -> Sequence[InboxMessage]:
        """A customer's messages, newest first."""
        return await self._repository.list_messages(
            tx, merchant_id, customer_id, after=after, limit=limit
        )

    async def note_read(self, tx: Transaction, merchant_id: UUID, message_id: UUID) -> InboxMessage:
        """It was read; when first, stays. Raises InboxMessageNotFound."""
        found = await self._repository.note_read(tx, merchant_id, message_id)
        if found is None:
            raise InboxMessageNotFound
        return found

    async def forget(self, tx: Transaction) -> bool:
        """Drops what is older than the retention time; True when more may wait."""
        gone = await self._repository.forget(tx, self._retention, FORGET_BATCH_MAX)
        return gone == FORGET_BATCH_MAX
