"""Called under the pool's lock, like everything that changes what is on a shelf."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from inventory_vault.withdrawals.domain import Action
from kit.db import Transaction
from kit.ids import new_id


async def withdraw(tx: Transaction, unit_id: UUID, state: str, reason: str) -> bool:
    """shelf -> quarantined or void; False when the unit is not on the shelf."""
    values = {"unit": unit_id, "state": state, "reason": reason}
    return (await tx.execute(_WITHDRAW, values)).rowcount == 1


async def void_quarantined(tx: Transaction, unit_id: UUID, reason: str) -> bool:
    """False when the unit is not quarantined."""
    return (await tx.execute(_VOID, {"unit": unit_id, "reason": reason})).rowcount == 1


async def restore(tx: Transaction, unit_id: UUID) -> bool:
    """False when the unit is not quarantined."""
    return (await tx.execute(_RESTORE, {"unit": unit_id})).rowcount == 1


async def move_lot(tx: Transaction, lot_id: UUID, before: Sequence[str], after: str) -> bool:
    """False when the lot is in none of the states `before`."""
    values = {"lot": lot_id, "before": list(before), "after": after}
    return (await tx.execute(_MOVE_LOT, values)).rowcount == 1


async def note(
    tx: Transaction,
    merchant_id: UUID,
    lot_id: UUID,
    unit_id: UUID | None,
    action: Action,
    reason: str,
    requested_by: str,
) -> None:
    await tx.execute(
        _NOTE,
        {
            "id": new_id(),
            "merchant": merchant_id,
            "lot": lot_id,
            "unit": unit_id,
            "action": action.value,
            "reason": reason,
            "caller": requested_by,
        },
    )


_WITHDRAW = text(
    """
    WITH target AS (
      SELECT u.lot_id, u.seq, u.merchant_id FROM unit u
      JOIN lot l ON l.id = u.lot_id AND l.state <> 'importing'
      WHERE u.unit_id = :unit
        AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.lot_id = u.lot_id AND a.seq = u.seq)
        AND NOT EXISTS (SELECT 1 FROM withdrawn_unit w WHERE w.lot_id = u.lot_id AND w.seq = u.seq)
    ), freed AS (
      DELETE FROM free_unit f USING target t WHERE f.lot_id = t.lot_id AND f.seq = t.seq
      RETURNING f.lot_id
    ), withdrawn AS (
      INSERT INTO withdrawn_unit (lot_id, seq, merchant_id, state, reason)
      SELECT lot_id, seq, merchant_id, :state, :reason FROM target
    ), counted AS (
      UPDATE lot_tally t SET
        quarantined = t.quarantined + CASE WHEN :state = 'quarantined' THEN 1 ELSE 0 END,
        void = t.void + CASE WHEN :state = 'void' THEN 1 ELSE 0 END
      FROM target WHERE t.lot_id = target.lot_id
    )
    UPDATE lot l SET
      free_count = l.free_count - f.freed,
      withdrawn_ahead = l.withdrawn_ahead + 1 - f.freed,
      has_stock = l.size - l.next_seq - l.withdrawn_ahead + l.free_count > 0
    FROM target t, (SELECT count(*)::int AS freed FROM freed) f
    WHERE l.id = t.lot_id
    """
)

_VOID = text(
    """
    WITH target AS (
      UPDATE withdrawn_unit w SET state = 'void', reason = :reason
      FROM unit u WHERE u.unit_id = :unit AND w.lot_id = u.lot_id AND w.seq = u.seq
        AND w.state = 'quarantined'
      RETURNING w.lot_id
    )
    UPDATE lot_tally t SET quarantined = t.quarantined - 1, void = t.void + 1
    FROM target WHERE t.lot_id = target.lot_id
    """
)

# Behind the cursor a unit comes back through the free list, ahead of it by no longer being a gap.
_RESTORE = text(
    """
    WITH target AS (
      DELETE FROM withdrawn_unit w USING unit u
      WHERE u.unit_id = :unit AND w.lot_id = u.lot_id AND w.seq = u.seq AND w.state = 'quarantined'
      RETURNING w.lot_id, w.seq, w.merchant_id, u.expires_at
    ), back AS (
      INSERT INTO free_unit (lot_id, seq, merchant_id, expires_at)
      SELECT t.lot_id, t.seq, t.merchant_id, t.expires_at
      FROM target t JOIN lot l ON l.id = t.lot_id AND t.seq < l.next_seq
      RETURNING lot_id
    ), counted AS (
      UPDATE lot_tally t SET quarantined = t.quarantined - 1
      FROM target WHERE t.lot_id = target.lot_id
    )
    UPDATE lot l SET
      free_count = l.free_count + b.freed,
      withdrawn_ahead = l.withdrawn_ahead - 1 + b.freed,
      has_stock = true,
      head_expires_at = CASE WHEN NOT l.mixed_expiry THEN l.head_expires_at
        WHEN NOT l.has_stock THEN t.expires_at
        ELSE least(l.head_expires_at, t.expires_at) END
    FROM target t, (SELECT count(*)::int AS freed FROM back) b
    WHERE l.id = t.lot_id
    """
)

_MOVE_LOT = text(
    "UPDATE lot SET state = :after WHERE id = :lot AND state = ANY(CAST(:before AS text[]))"
)

_NOTE = text(
    """
    INSERT INTO stock_action (id, merchant_id, lot_id, unit_id, action, reason, requested_by)
    VALUES (:id, :merchant, :lot, :unit, :action, :reason, :caller)
    """
)
