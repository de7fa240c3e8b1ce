"""SQL of messages: a constant number of statements, whatever the batch."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from fulfillment.messages.domain import Attempt, AttemptState, Message, MessageState, Wanted
from fulfillment.safe import Safe
from fulfillment.templates.domain import Channel
from kit.db import Transaction
from kit.ids import new_id

_LAST_ID = UUID(int=2**128 - 1)


class MessageRepository:
    """What messages are about is sealed by `safe`."""

    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def add(self, tx: Transaction, wanted: Sequence[Wanted]) -> int:
        """Queues what is not queued yet; answers how many that were."""
        ids = [new_id() for _ in wanted]
        rows = await tx.execute(
            _ADD,
            {
                "id": ids,
                "merchant_id": [each.merchant_id for each in wanted],
                "order_id": [each.order_id for each in wanted],
                "delivery_id": [each.delivery_id for each in wanted],
                "purpose": [each.purpose for each in wanted],
                "key": [each.unique_key for each in wanted],
                "values": [
                    self._sealed(each.values, own) for each, own in zip(wanted, ids, strict=True)
                ],
            },
        )
        return rows.rowcount

    def note(self, tx: Transaction, order_ids: Sequence[UUID]) -> None:
        tx.later(_NOTE, {"id": [new_id() for _ in order_ids], "order_id": list(order_ids)})

    async def take_notices(self, tx: Transaction, limit: int) -> list[UUID]:
        """Claims and forgets up to `limit`; answers the orders they are about."""
        rows = await tx.execute(_TAKE_NOTICES, {"limit": limit})
        return [row.order_id for row in rows]

    async def find(self, tx: Transaction, merchant_id: UUID, message_id: UUID) -> Message | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": message_id})
        found = await self._with_attempts(tx, rows.all())
        return found[0] if found else None

    async def find_wanted(self, tx: Transaction, wanted: Wanted) -> Message | None:
        """The message that something wanted has become."""
        values = {
            "order_id": wanted.order_id,
            "purpose": wanted.purpose,
            "key": wanted.unique_key,
        }
        found = await self._with_attempts(tx, (await tx.execute(_FIND_WANTED, values)).all())
        return found[0] if found else None

    async def bounce(
        self,
        tx: Transaction,
        merchant_id: UUID,
        bounced: Mapping[UUID, str],
        final: Sequence[str],
    ) -> list[UUID]:
        """Mails that were sent came back, each for its reason: the next channel's turn, but for
        purposes that are `final`. Answers those that were.
        """
        values = {
            "merchant_id": merchant_id,
            "id": list(bounced),
            "reason": list(bounced.values()),
            "final": list(final),
        }
        return [row.message_id for row in await tx.execute(_BOUNCE, values)]

    async def list_messages(
        self,
        tx: Transaction,
        merchant_id: UUID,
        filters: Mapping[str, Any],
        *,
        after: UUID | None,
        limit: int,
    ) -> list[Message]:
        """The newest first. `filters`: order_id, state, channel, each None for any."""
        values = {"merchant_id": merchant_id, "after": after or _LAST_ID, "limit": limit}
        rows = await tx.execute(_LIST, {**values, **filters})
        return await self._with_attempts(tx, rows.all())

    async def count_up(
        self, tx: Transaction, scope: str, used: Mapping[bytes, int], window: timedelta
    ) -> Mapping[bytes, int]:
        """Adds to what each has used in the window of now; answers what that makes."""
        subjects = sorted(used)  # in one order for all, so nobody waits for somebody who waits
        rows = await tx.execute(
            _COUNT_UP,
            {
                "scope": scope,
                "subject": subjects,
                "used": [used[subject] for subject in subjects],
                "window": window,
            },
        )
        return {row.subject: row.used for row in rows}

    async def forget(self, tx: Transaction, older_than: timedelta, limit: int) -> int:
        """Drops values of old messages and budgets of windows long over."""
        rows = await tx.execute(_FORGET, {"age": older_than, "limit": limit})
        return int(rows.scalar_one())

    def _sealed(self, values: Mapping[str, str | int], message_id: UUID) -> bytes | None:
        return self._safe.seal(orjson.dumps(dict(values)), message_id) if values else None

    async def _with_attempts(self, tx: Transaction, rows: Sequence[Any]) -> list[Message]:
        if not rows:
            return []
        attempts: dict[UUID, list[Attempt]] = {}
        for row in await tx.execute(_ATTEMPTS, {"id": [row.id for row in rows]}):
            attempts.setdefault(row.message_id, []).append(_attempt(row))
        return [_message(row, attempts.get(row.id, ())) for row in rows]


def _message(row: Any, attempts: Sequence[Attempt]) -> Message:  # a row has no static type
    return Message(
        id=row.id,
        merchant_id=row.merchant_id,
        order_id=row.order_id,
        delivery_id=row.delivery_id,
        purpose=row.purpose,
        state=MessageState(row.state),
        channel=Channel(row.channel) if row.channel else None,
        to=row.to_mask,
        reason=row.reason,
        created_at=row.created_at,
        settled_at=row.settled_at,
        attempts=tuple(attempts),
    )


def _attempt(row: Any) -> Attempt:  # a row has no static type
    return Attempt(
        attempt_no=row.attempt_no,
        channel=Channel(row.channel),
        sender=row.sender,
        state=AttemptState(row.state),
        reason=row.reason,
        reference=row.reference,
        to=row.to_mask,
        template=row.template,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


_ADD = text(
    """
    INSERT INTO message (id, merchant_id, order_id, delivery_id, purpose, key, message_values)
    SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:order_id AS uuid[]), CAST(:delivery_id AS uuid[]), CAST(:purpose AS text[]),
        CAST(:key AS text[]), CAST(:values AS bytea[]))
        AS own (id, merchant_id, order_id, delivery_id, purpose, key, message_values)
    WHERE EXISTS (SELECT FROM request r WHERE r.order_id = own.order_id)
       OR EXISTS (SELECT FROM contact c WHERE c.order_id = own.order_id)
    ON CONFLICT (order_id, purpose, key) DO NOTHING
    """
)
_NOTE = text(
    """
    INSERT INTO message_notice (id, order_id)
    SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:order_id AS uuid[]))
    """
)
_TAKE_NOTICES = text(
    """
    WITH pick AS MATERIALIZED (
        SELECT id FROM message_notice ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    DELETE FROM message_notice n USING pick WHERE n.id = pick.id RETURNING n.order_id
    """
)
_COLUMNS = (
    "id, merchant_id, order_id, delivery_id, purpose, state, channel, to_mask, reason, "
    "created_at, settled_at"
)
_GET = text(
    f"SELECT {_COLUMNS} FROM message "  # noqa: S608 - column names of this file
    "WHERE merchant_id = :merchant_id AND id = :id"
)
_FIND_WANTED = text(
    f"SELECT {_COLUMNS} FROM message "  # noqa: S608 - column names of this file
    "WHERE order_id = :order_id AND purpose = :purpose AND key = :key"
)
_BOUNCE = text(
    """
    WITH hit AS (
        UPDATE message m SET reason = own.reason, tries = 0, rung = m.rung + 1,
            state = CASE WHEN m.purpose = ANY(CAST(:final AS text[])) THEN 'bounced'
                         ELSE 'queued' END,
            settled_at = CASE WHEN m.purpose = ANY(CAST(:final AS text[]))
                              THEN clock_timestamp() END,
            due_at = clock_timestamp()
        FROM unnest(CAST(:id AS uuid[]), CAST(:reason AS text[])) AS own (id, reason)
        WHERE m.id = own.id AND m.merchant_id = :merchant_id AND m.state = 'sent'
          AND m.channel = 'mail'
        RETURNING m.id, m.attempts, m.reason
    )
    UPDATE message_attempt a SET state = 'bounced', reason = hit.reason,
           ended_at = clock_timestamp()
    FROM hit WHERE a.message_id = hit.id AND a.attempt_no = hit.attempts
    RETURNING a.message_id
    """
)
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM message
    WHERE merchant_id = :merchant_id AND id < :after
      AND (CAST(:order_id AS uuid) IS NULL OR order_id = :order_id)
      AND (CAST(:state AS text) IS NULL OR state = :state)
      AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    ORDER BY id DESC LIMIT :limit
    """  # noqa: S608 - column names of this file
)
_ATTEMPTS = text(
    """
    SELECT * FROM message_attempt WHERE message_id = ANY(CAST(:id AS uuid[]))
    ORDER BY message_id, attempt_no
    """
)
# Counted past any limit too, so that each caller learns its own place in the row.
_COUNT_UP = text(
    """
    INSERT INTO message_budget AS b (scope, subject, starts_at, used)
    SELECT :scope, own.subject,
           date_bin(CAST(:window AS interval), clock_timestamp(), TIMESTAMPTZ '2000-01-01 00:00Z'),
           own.used
    FROM unnest(CAST(:subject AS bytea[]), CAST(:used AS int[])) AS own (subject, used)
    ON CONFLICT (scope, subject, starts_at) DO UPDATE SET used = b.used + EXCLUDED.used
    RETURNING subject, used
    """
)
_FORGET = text(
    """
    WITH old AS (
        SELECT id FROM message
        WHERE message_values IS NOT NULL AND state <> 'queued'
          AND created_at < clock_timestamp() - CAST(:age AS interval)
        ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), emptied AS (
        UPDATE message m SET message_values = NULL FROM old WHERE m.id = old.id RETURNING m.id
    ), spent AS (
        DELETE FROM message_budget WHERE starts_at < clock_timestamp() - interval '3 days'
    )
    SELECT count(*) FROM emptied
    """
)
