"""SQL of inboxes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from fulfillment.inbox.domain import InboxMessage
from fulfillment.safe import Safe
from kit.db import Transaction

_LAST_ID = UUID(int=2**128 - 1)


class InboxRepository:
    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def add(self, tx: Transaction, messages: Sequence[InboxMessage]) -> None:
        """The same messages again change nothing."""
        await tx.execute(
            _ADD,
            {
                "id": [it.id for it in messages],
                "merchant_id": [it.merchant_id for it in messages],
                "customer_id": [it.customer_id for it in messages],
                "order_id": [it.order_id for it in messages],
                "content": [
                    self._safe.seal(orjson.dumps([it.subject, it.body]), it.id) for it in messages
                ],
            },
        )

    async def list_messages(
        self,
        tx: Transaction,
        merchant_id: UUID,
        customer_id: str,
        *,
        after: UUID | None,
        limit: int,
    ) -> list[InboxMessage]:
        values = {
            "merchant_id": merchant_id,
            "customer_id": customer_id,
            "after": after or _LAST_ID,
            "limit": limit,
        }
        return [self._message(row) for row in await tx.execute(_LIST, values)]

    async def note_read(
        self, tx: Transaction, merchant_id: UUID, message_id: UUID
    ) -> InboxMessage | None:
        """The first time counts."""
        rows = await tx.execute(_READ, {"merchant_id": merchant_id, "id": message_id})
        row = rows.one_or_none()
        return self._message(row) if row else None

    async def forget(self, tx: Transaction, older_than: timedelta, limit: int) -> int:
        rows = await tx.execute(_FORGET, {"age": older_than, "limit": limit})
        return int(rows.scalar_one())

    def _message(self, row: Any) -> InboxMessage:  # a row has no static type
        subject, body = orjson.loads(self._safe.open(row.content, row.id))
        return InboxMessage(
            id=row.id,
            merchant_id=row.merchant_id,
            customer_id=row.customer_id,
            order_id=row.order_id,
            subject=subject,
            body=body,
            created_at=row.created_at,
            read_at=row.read_at,
        )


_ADD = text(
    """
    INSERT INTO inbox_message (id, merchant_id, customer_id, order_id, content)
    SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:customer_id AS text[]), CAST(:order_id AS uuid[]), CAST(:content AS bytea[]))
    ON CONFLICT (id) DO NOTHING
    """
)
_LIST = text(
    """
    SELECT * FROM inbox_message
    WHERE merchant_id = :merchant_id AND customer_id = :customer_id AND id < :after
    ORDER BY id DESC LIMIT :limit
    """
)
_READ = text(
    """
    UPDATE inbox_message SET read_at = coalesce(read_at, clock_timestamp())
    WHERE id = :id AND merchant_id = :merchant_id RETURNING *
    """
)
_FORGET = text(
    """
    WITH oldest AS (
        SELECT id, created_at FROM inbox_message ORDER BY created_at LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM inbox_message i USING oldest o
        WHERE i.id = o.id AND o.created_at < clock_timestamp() - CAST(:age AS interval)
        RETURNING i.id
    )
    SELECT count(*) FROM gone
    """
)
