from collections.abc import Sequence

import orjson
from sqlalchemy import text

from kit.db import Transaction
from order.stock.domain import SoldOut, Stand

_SET_MANY = text(
    """
    INSERT INTO pool_stock (pool_id, merchant_id, is_out, units_back)
    SELECT * FROM jsonb_to_recordset(CAST(:stands AS jsonb)) AS s(
      pool_id uuid, merchant_id uuid, is_out boolean, units_back bigint) ORDER BY pool_id
    ON CONFLICT (pool_id) DO UPDATE SET is_out = excluded.is_out,
      units_back = CASE WHEN excluded.is_out THEN 0
        ELSE pool_stock.units_back + excluded.units_back END,
      changed_at = clock_timestamp()
    """
)
_TAKE_SOLD_OUT = text(
    """
    UPDATE pool_stock SET asked_at = clock_timestamp() WHERE pool_id IN (
      SELECT pool_id FROM pool_stock WHERE is_out
        AND asked_at <= clock_timestamp() - make_interval(secs => CAST(:seconds AS float))
      ORDER BY asked_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) RETURNING pool_id, merchant_id, changed_at
    """
)
# Not when an event came meanwhile: it is newer than the answer.
_SET_BACK = text(
    "UPDATE pool_stock SET is_out = false, units_back = :units, changed_at = clock_timestamp() "
    "WHERE pool_id = :pool_id AND is_out AND changed_at = :changed_at"
)


async def set_many(tx: Transaction, stands: Sequence[Stand]) -> None:
    values = [
        {
            "pool_id": str(stand.pool_id),
            "merchant_id": str(stand.merchant_id),
            "is_out": stand.is_out,
            "units_back": stand.units_back,
        }
        for stand in stands
    ]
    await tx.execute(_SET_MANY, {"stands": orjson.dumps(values).decode()})


async def take_sold_out(tx: Transaction, *, seconds: float, limit: int) -> Sequence[SoldOut]:
    """Sold-out pools that nobody asked the vault about for so long; asked about from now on."""
    rows = await tx.execute(_TAKE_SOLD_OUT, {"seconds": seconds, "limit": limit})
    return [SoldOut(row.pool_id, row.merchant_id, row.changed_at) for row in rows]


async def set_back(tx: Transaction, pool: SoldOut, units: int) -> None:
    values = {"pool_id": pool.pool_id, "units": units, "changed_at": pool.changed_at}
    await tx.execute(_SET_BACK, values)
