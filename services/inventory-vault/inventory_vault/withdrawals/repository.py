"""Called under the pool's lock, like everything that changes what is on a shelf."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from inventory_vault.on_shelf import LIVES, exposure_told
from inventory_vault.withdrawals.domain import Action
from kit.db import Transaction
from kit.ids import new_id


@dataclass(frozen=True, slots=True)
class Moved:
    """Units that changed their state, and the lots they are of."""

    unit_ids: tuple[UUID, ...]
    lot_ids: tuple[UUID, ...]
    # (lot, number) of those that came back ahead of their cursors.
    reopened: tuple[tuple[UUID, int], ...] = ()


async def withdraw(
    tx: Transaction, unit_ids: Sequence[UUID], lot_states: Sequence[str], state: str, reason: str
) -> Moved:
    """shelf -> quarantined or void, of those units that are on the shelf of such a lot and have not
    expired there.
    """
    values = {"units": list(unit_ids), "lots": list(lot_states), "state": state, "reason": reason}
    return await _moved(tx, _WITHDRAW, values)


async def void_withdrawn(tx: Transaction, unit_ids: Sequence[UUID], reason: str) -> Moved:
    """quarantined or inactive -> void, of those units that are."""
    return await _moved(tx, _VOID, {"units": list(unit_ids), "reason": reason})


async def bring_back(tx: Transaction, unit_ids: Sequence[UUID], state: str) -> Moved:
    """`state` -> shelf, of those units that are in it."""
    return await _back(tx, _BRING_BACK, {"units": list(unit_ids), "state": state})


async def bring_lot_back(tx: Transaction, lot_id: UUID, state: str) -> Moved:
    """`state` -> shelf, of all units of a lot that are in it one by one."""
    return await _back(tx, _BRING_LOT_BACK, {"lot": lot_id, "state": state})


async def move_lot(tx: Transaction, lot_id: UUID, before: Sequence[str], after: str) -> bool:
    """False when the lot is in none of the states `before`. Raises LotExposed."""
    values = {"lot": lot_id, "before": list(before), "after": after}
    with exposure_told(lot_id):
        return (await tx.execute(_MOVE_LOT, values)).rowcount == 1


async def spread(tx: Transaction, lot_id: UUID, reason: str) -> None:
    """A quarantined or inactive lot's state goes to each of its units, and the lot on the shelf.

    Raises LotExposed.
    """
    with exposure_told(lot_id):
        await tx.execute(_SPREAD, {"lot": lot_id, "reason": reason})


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


async def _moved(tx: Transaction, statement: TextClause, values: dict[str, Any]) -> Moved:
    rows = list(await tx.execute(statement, values))
    return Moved(tuple(row.unit_id for row in rows), tuple(sorted({row.lot_id for row in rows})))


async def _back(tx: Transaction, statement: TextClause, values: dict[str, Any]) -> Moved:
    rows = list(await tx.execute(statement, values))
    return Moved(
        tuple(row.unit_id for row in rows),
        tuple(sorted({row.lot_id for row in rows})),
        tuple((row.lot_id, row.seq) for row in rows if row.seq >= row.next_seq),
    )


# Sales count in lot_tally without the pool's lock: whoever touches several rows takes them in the
# order of their ids.
_LOCKED_TALLIES = """
    locked AS MATERIALIZED (
      SELECT t.lot_id FROM lot_tally t WHERE t.lot_id IN (SELECT lot_id FROM target)
      ORDER BY t.lot_id FOR NO KEY UPDATE
    )
"""

_WITHDRAW = text(
    f"""
    WITH target AS MATERIALIZED (
      SELECT u.lot_id, u.seq, u.merchant_id, u.unit_id FROM unit u
      JOIN lot l ON l.id = u.lot_id AND l.state = ANY(CAST(:lots AS text[]))
      WHERE u.unit_id = ANY(CAST(:units AS uuid[]))
        AND {LIVES}
        AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.lot_id = u.lot_id AND a.seq = u.seq)
        AND NOT EXISTS (SELECT 1 FROM withdrawn_unit w WHERE w.lot_id = u.lot_id AND w.seq = u.seq)
    ), {_LOCKED_TALLIES}, freed AS (
      DELETE FROM free_unit f USING target t WHERE f.lot_id = t.lot_id AND f.seq = t.seq
      RETURNING f.lot_id, f.seq
    ), withdrawn AS (
      INSERT INTO withdrawn_unit (lot_id, seq, merchant_id, state, reason)
      SELECT lot_id, seq, merchant_id, :state, :reason FROM target
    ), per_lot AS (
      SELECT t.lot_id, count(*)::int AS units, count(f.seq)::int AS freed
      FROM target t LEFT JOIN freed f ON f.lot_id = t.lot_id AND f.seq = t.seq
      GROUP BY t.lot_id
    ), counted AS (
      UPDATE lot_tally t SET
        quarantined = t.quarantined + CASE WHEN :state = 'quarantined' THEN p.units ELSE 0 END,
        void = t.void + CASE WHEN :state = 'void' THEN p.units ELSE 0 END
      FROM per_lot p, locked WHERE t.lot_id = p.lot_id AND locked.lot_id = t.lot_id
    ), moved AS (
      UPDATE lot l SET
        free_count = l.free_count - p.freed,
        gaps_ahead = l.gaps_ahead + p.units - p.freed,
        has_stock = l.size - l.next_seq + 1 - l.gaps_ahead + l.free_count - p.units > 0
      FROM per_lot p WHERE l.id = p.lot_id
    )
    SELECT unit_id, lot_id FROM target
    """  # noqa: S608 - constant parts
)

_VOID = text(
    f"""
    WITH target AS (
      SELECT w.lot_id, w.seq, w.state AS before, u.unit_id
      FROM unit u JOIN withdrawn_unit w ON w.lot_id = u.lot_id AND w.seq = u.seq
      WHERE u.unit_id = ANY(CAST(:units AS uuid[])) AND w.state IN ('quarantined', 'inactive')
    ), {_LOCKED_TALLIES}, voided AS (
      UPDATE withdrawn_unit w SET state = 'void', reason = :reason,
        withdrawn_at = clock_timestamp()
      FROM target t WHERE w.lot_id = t.lot_id AND w.seq = t.seq
    ), counted AS (
      UPDATE lot_tally t SET
        quarantined = t.quarantined - p.quarantined, inactive = t.inactive - p.inactive,
        void = t.void + p.quarantined + p.inactive
      FROM (
        SELECT lot_id, count(*) FILTER (WHERE before = 'quarantined') AS quarantined,
          count(*) FILTER (WHERE before = 'inactive') AS inactive
        FROM target GROUP BY lot_id
      ) p, locked WHERE t.lot_id = p.lot_id AND locked.lot_id = t.lot_id
    )
    SELECT unit_id, lot_id FROM target
    """  # noqa: S608 - constant parts
)

# Behind the cursor a unit comes back through the free list, ahead of it by no longer being a gap.
_BACK = f"""
    {_LOCKED_TALLIES}, gone AS (
      DELETE FROM withdrawn_unit w USING target t WHERE w.lot_id = t.lot_id AND w.seq = t.seq
    ), back AS (
      INSERT INTO free_unit (lot_id, seq, merchant_id, expires_at)
      SELECT lot_id, seq, merchant_id, expires_at FROM target WHERE seq < next_seq
    ), per_lot AS (
      SELECT lot_id, count(*)::int AS units, count(*) FILTER (WHERE seq < next_seq)::int AS freed,
        min(expires_at) AS expires_at
      FROM target GROUP BY lot_id
    ), counted AS (
      UPDATE lot_tally t SET
        quarantined = t.quarantined - CASE WHEN :state = 'quarantined' THEN p.units ELSE 0 END,
        inactive = t.inactive - CASE WHEN :state = 'inactive' THEN p.units ELSE 0 END
      FROM per_lot p, locked WHERE t.lot_id = p.lot_id AND locked.lot_id = t.lot_id
    ), moved AS (
      UPDATE lot l SET
        free_count = l.free_count + p.freed,
        gaps_ahead = l.gaps_ahead - p.units + p.freed,
        has_stock = true,
        head_expires_at = CASE WHEN NOT l.mixed_expiry THEN l.head_expires_at
          WHEN NOT l.has_stock THEN p.expires_at
          ELSE least(l.head_expires_at, p.expires_at) END
      FROM per_lot p WHERE l.id = p.lot_id
    )
    SELECT unit_id, lot_id, seq, next_seq FROM target
"""  # noqa: S608 - constant parts

_TARGET_COLUMNS = """
      SELECT w.lot_id, w.seq, w.merchant_id, u.unit_id, u.expires_at, l.next_seq
"""

_BRING_BACK = text(
    f"""
    WITH target AS MATERIALIZED (
      {_TARGET_COLUMNS} FROM unit u
      JOIN withdrawn_unit w ON w.lot_id = u.lot_id AND w.seq = u.seq
      JOIN lot l ON l.id = u.lot_id
      WHERE u.unit_id = ANY(CAST(:units AS uuid[])) AND w.state = :state
    ), {_BACK}
    """
)

_BRING_LOT_BACK = text(
    f"""
    WITH target AS MATERIALIZED (
      {_TARGET_COLUMNS} FROM withdrawn_unit w
      JOIN unit u ON u.lot_id = w.lot_id AND u.seq = w.seq
      JOIN lot l ON l.id = w.lot_id
      WHERE w.lot_id = :lot AND w.state = :state
    ), {_BACK}
    """
)

_MOVE_LOT = text(
    "UPDATE lot SET state = :after WHERE id = :lot AND state = ANY(CAST(:before AS text[]))"
)

# The cursor goes to the end at once: the units come back one by one, through the free list.
_SPREAD = text(
    """
    WITH source AS (
      SELECT id, merchant_id, state, next_seq FROM lot
      WHERE id = :lot AND state IN ('inactive', 'quarantined')
    ), freed AS (
      DELETE FROM free_unit f USING source s WHERE f.lot_id = s.id RETURNING f.seq
    ), ahead AS (
      SELECT u.seq FROM source s JOIN unit u ON u.lot_id = s.id AND u.seq >= s.next_seq
      WHERE NOT EXISTS (SELECT 1 FROM allocation a WHERE a.lot_id = u.lot_id AND a.seq = u.seq)
        AND NOT EXISTS (SELECT 1 FROM withdrawn_unit w WHERE w.lot_id = u.lot_id AND w.seq = u.seq)
    ), marked AS (
      INSERT INTO withdrawn_unit (lot_id, seq, merchant_id, state, reason)
      SELECT s.id, m.seq, s.merchant_id, s.state, :reason
      FROM source s, (SELECT seq FROM freed UNION ALL SELECT seq FROM ahead) m
      RETURNING seq
    ), counted AS (
      UPDATE lot_tally t SET
        quarantined = t.quarantined + CASE WHEN s.state = 'quarantined' THEN n.units ELSE 0 END,
        inactive = t.inactive + CASE WHEN s.state = 'inactive' THEN n.units ELSE 0 END
      FROM source s, (SELECT count(*)::int AS units FROM marked) n WHERE t.lot_id = s.id
    )
    UPDATE lot l SET
      state = 'on_shelf', next_seq = l.size + 1, gaps_ahead = 0, free_count = 0, has_stock = false,
      head_expires_at = CASE WHEN l.mixed_expiry THEN NULL ELSE l.head_expires_at END
    FROM source s WHERE l.id = s.id
    """
)

_NOTE = text(
    """
    INSERT INTO stock_action (id, merchant_id, lot_id, unit_id, action, reason, requested_by)
    VALUES (:id, :merchant, :lot, :unit, :action, :reason, :caller)
    """
)
