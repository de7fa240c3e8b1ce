from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from inventory_vault.cover.domain import Pace
from kit.db import Transaction


async def sample(tx: Transaction, *, after: UUID | None, limit: int) -> list[UUID]:
    """Samples what pools have sold, a bounded number in order of their ids, unless it was done
    within the hour. Answers which were looked at.
    """
    rows = await tx.execute(_SAMPLE, {"after": after, "limit": limit})
    return [row.id for row in rows]


async def measure(tx: Transaction, pool_ids: Sequence[UUID]) -> None:
    """Brings the paces up to the newest sample and forgets old samples."""
    await tx.execute(_MEASURE, {"pools": list(pool_ids)})
    await tx.execute(_FORGET, {"pools": list(pool_ids)})


async def paces_of(tx: Transaction, pool_ids: Sequence[UUID]) -> dict[UUID, Pace]:
    rows = await tx.execute(_PACES, {"pools": list(pool_ids)})
    return {row.pool_id: Pace(row.pool_id, row.sold_per_day, row.is_low) for row in rows}


async def set_low(tx: Transaction, pool_ids: Sequence[UUID], lows: Sequence[bool]) -> None:
    await tx.execute(_SET_LOW, {"pools": list(pool_ids), "lows": list(lows)})


# From the tallies of the lots, a row each: no unit is counted, and no sale waits.
_SAMPLE = text(
    """
    WITH looked AS MATERIALIZED (
      SELECT id, merchant_id FROM pool WHERE CAST(:after AS uuid) IS NULL OR id > :after
      ORDER BY id LIMIT :limit
    ), due AS (
      SELECT p.* FROM looked p WHERE NOT EXISTS (
        SELECT 1 FROM pool_sample s WHERE s.pool_id = p.id
          AND s.taken_at > clock_timestamp() - interval '59 minutes')
    ), sampled AS (
      INSERT INTO pool_sample (pool_id, merchant_id, sold)
      SELECT d.id, d.merchant_id, coalesce(
        (SELECT sum(t.sold + t.opened + t.redeemed) FROM lot l JOIN lot_tally t ON t.lot_id = l.id
         WHERE l.pool_id = d.id), 0)
      FROM due d
    )
    SELECT id FROM looked ORDER BY id
    """
)

_MEASURE = text(
    """
    INSERT INTO pool_pace AS p (pool_id, merchant_id, sold_per_day)
    SELECT DISTINCT n.pool_id, n.merchant_id, CASE
      WHEN n.taken_at - o.taken_at >= interval '50 minutes' THEN
        greatest(0, n.sold - o.sold) * 86400.0 / extract(epoch FROM n.taken_at - o.taken_at) END
    FROM unnest(CAST(:pools AS uuid[])) AS k(pool_id)
    CROSS JOIN LATERAL (
      SELECT * FROM pool_sample s WHERE s.pool_id = k.pool_id ORDER BY s.taken_at DESC LIMIT 1) n
    CROSS JOIN LATERAL (
      SELECT * FROM pool_sample s WHERE s.pool_id = k.pool_id
        AND s.taken_at >= n.taken_at - interval '7 days' ORDER BY s.taken_at LIMIT 1) o
    ON CONFLICT (pool_id) DO UPDATE SET
      sold_per_day = excluded.sold_per_day, measured_at = clock_timestamp()
    """
)

_FORGET = text(
    """
    DELETE FROM pool_sample WHERE pool_id = ANY(CAST(:pools AS uuid[]))
      AND taken_at < clock_timestamp() - interval '8 days'
    """
)

_PACES = text("SELECT * FROM pool_pace WHERE pool_id = ANY(CAST(:pools AS uuid[]))")

_SET_LOW = text(
    """
    UPDATE pool_pace p SET is_low = l.is_low
    FROM unnest(CAST(:pools AS uuid[]), CAST(:lows AS boolean[])) AS l(pool_id, is_low)
    WHERE p.pool_id = l.pool_id
    """
)
