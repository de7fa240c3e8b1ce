from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from inventory_vault.budgets.domain import Held, Share
from kit.db import Transaction


async def held_by(tx: Transaction, shares: Sequence[Share]) -> dict[Share, Held]:
    """Exact under the pools' locks; a hold that is being paid for at this moment still counts."""
    rows = await tx.execute(
        _HELD_BY,
        {
            "pools": [share.pool_id for share in shares],
            "dimensions": [share.dimension for share in shares],
            "holders": [share.holder for share in shares],
        },
    )
    return {
        Share(row.pool_id, row.dimension, bytes(row.holder)): Held(row.units, row.until)
        for row in rows
    }


async def add(tx: Transaction, rows: Sequence[tuple[UUID, UUID, Share, int]]) -> None:
    """`rows`: (reservation, merchant, share, units)."""
    await tx.execute(
        _ADD,
        {
            "reservations": [row[0] for row in rows],
            "merchants": [row[1] for row in rows],
            "pools": [row[2].pool_id for row in rows],
            "dimensions": [row[2].dimension for row in rows],
            "holders": [row[2].holder for row in rows],
            "units": [row[3] for row in rows],
        },
    )


async def remove(tx: Transaction, reservation_ids: Sequence[UUID]) -> None:
    await tx.execute(_REMOVE, {"reservations": list(reservation_ids)})


_HELD_BY = text(
    """
    SELECT k.pool_id, k.dimension, k.holder, sum(h.units)::int AS units, min(r.expires_at) AS until
    FROM unnest(CAST(:pools AS uuid[]), CAST(:dimensions AS text[]), CAST(:holders AS bytea[]))
      AS k(pool_id, dimension, holder)
    JOIN hold_share h ON h.pool_id = k.pool_id AND h.dimension = k.dimension
      AND h.holder = k.holder
    JOIN reservation r ON r.id = h.reservation_id
    GROUP BY k.pool_id, k.dimension, k.holder
    """
)

_ADD = text(
    """
    INSERT INTO hold_share (reservation_id, merchant_id, pool_id, dimension, holder, units)
    SELECT * FROM unnest(
      CAST(:reservations AS uuid[]), CAST(:merchants AS uuid[]), CAST(:pools AS uuid[]),
      CAST(:dimensions AS text[]), CAST(:holders AS bytea[]), CAST(:units AS int[]))
    """
)

_REMOVE = text("DELETE FROM hold_share WHERE reservation_id = ANY(CAST(:reservations AS uuid[]))")
