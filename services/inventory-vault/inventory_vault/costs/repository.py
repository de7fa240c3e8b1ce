from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from inventory_vault.on_shelf import ON_SHELF
from kit.db import Transaction
from kit.money import Money

# Of each pool the newest lots that are for sale and have units on the shelf; no unit is counted, so
# one whose time is over in a lot of several times is taken for one that is for sale.
_DEAREST = text(
    f"""
    SELECT w.pool_id, x.currency, max(x.unit_cost) AS unit_cost
    FROM unnest(CAST(:pools AS uuid[])) AS w(pool_id)
    JOIN pool p ON p.id = w.pool_id AND p.merchant_id = :merchant
    CROSS JOIN LATERAL (
      SELECT l.currency, l.unit_cost,
        l.state = 'on_shelf' AND {ON_SHELF} > 0
          AND (l.mixed_expiry OR coalesce(l.head_expires_at > clock_timestamp(), true)) AS is_sold
      FROM lot l WHERE l.pool_id = w.pool_id AND l.state NOT IN ('importing', 'undone')
      ORDER BY l.id DESC LIMIT :lots) x
    WHERE x.is_sold GROUP BY w.pool_id, x.currency ORDER BY w.pool_id, x.currency
    """  # noqa: S608 - constant parts
)


async def dearest(
    tx: Transaction, merchant_id: UUID, pool_ids: Sequence[UUID], lots: int
) -> Sequence[tuple[UUID, Money]]:
    values: dict[str, Any] = {"merchant": merchant_id, "pools": list(pool_ids), "lots": lots}
    rows = await tx.execute(_DEAREST, values)
    return [(row.pool_id, Money(row.unit_cost, row.currency)) for row in rows]
