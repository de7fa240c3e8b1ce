from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.ids import new_id
from ledger.book_periods.domain import PeriodAction, PeriodChange

# The trigger on transaction takes the same lock shared: who posts now is waited for, and who posts
# later finds the line where it is put.
_LOCK = text("SELECT ledger_lock_period(:merchant), clock_timestamp() AS now")
_READ = text("SELECT closed_until FROM book_period WHERE merchant_id = :merchant")
_MOVE = text("""
    INSERT INTO book_period AS period (merchant_id, closed_until) VALUES (:merchant, :until)
    ON CONFLICT (merchant_id) DO UPDATE SET closed_until = excluded.closed_until
""")
_NOTE = text("""
    INSERT INTO period_change
        (id, merchant_id, action, closed_until, before, reason, requested_by)
    VALUES (:id, :merchant, :action, :until, :before, :reason, :caller)
    RETURNING *
""")
_LIST = text("""
    SELECT * FROM period_change
    WHERE merchant_id = :merchant AND (CAST(:before AS uuid) IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :limit
""")


class PeriodRepository:
    async def lock(self, tx: Transaction, merchant_id: UUID) -> tuple[datetime | None, datetime]:
        """Until when it is closed, and the database's time; nobody posts until `tx` ends."""
        now = (await tx.execute(_LOCK, {"merchant": merchant_id})).one().now
        return await self.closed_until(tx, merchant_id), now

    async def closed_until(self, tx: Transaction, merchant_id: UUID) -> datetime | None:
        row = (await tx.execute(_READ, {"merchant": merchant_id})).one_or_none()
        return row.closed_until if row else None

    async def move(
        self,
        tx: Transaction,
        merchant_id: UUID,
        action: PeriodAction,
        *,
        until: datetime | None,
        before: datetime | None,
        reason: str,
        requested_by: str,
    ) -> PeriodChange:
        await tx.execute(_MOVE, {"merchant": merchant_id, "until": until})
        values = {
            "id": new_id(),
            "merchant": merchant_id,
            "action": action.value,
            "until": until,
            "before": before,
            "reason": reason,
            "caller": requested_by,
        }
        return _change((await tx.execute(_NOTE, values)).one())

    async def list_changes(
        self, tx: Transaction, merchant_id: UUID, *, before: UUID | None, limit: int
    ) -> list[PeriodChange]:
        """Newest first."""
        values = {"merchant": merchant_id, "before": before, "limit": limit}
        return [_change(row) for row in await tx.execute(_LIST, values)]


def _change(row: Any) -> PeriodChange:  # a row has no static type
    return PeriodChange(
        row.id,
        PeriodAction(row.action),
        row.closed_until,
        row.before,
        row.reason,
        row.requested_by,
        row.changed_at,
    )
