from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import text

from inventory_vault.quotas.domain import Guarantee
from kit.db import Transaction

Use = tuple[UUID, UUID, UUID, UUID, int]
"""(reservation, pool, merchant, channel, units)."""


async def guarantees_of(tx: Transaction, pool_ids: Collection[UUID]) -> dict[UUID, list[Guarantee]]:
    """Exact under the pools' locks."""
    found: dict[UUID, list[Guarantee]] = {pool_id: [] for pool_id in pool_ids}
    for row in await tx.execute(_GUARANTEES, {"pools": list(pool_ids)}):
        found[row.pool_id].append(Guarantee(row.channel_id, row.guaranteed, row.taken))
    return found


async def add_uses(tx: Transaction, uses: Sequence[Use]) -> None:
    """Counts them too."""
    await tx.execute(
        _ADD_USES,
        {
            "reservations": [use[0] for use in uses],
            "pools": [use[1] for use in uses],
            "merchants": [use[2] for use in uses],
            "channels": [use[3] for use in uses],
            "units": [use[4] for use in uses],
        },
    )


async def give_back(tx: Transaction, reservation_ids: Sequence[UUID]) -> None:
    await tx.execute(_GIVE_BACK, {"reservations": list(reservation_ids)})


async def give_part_back(tx: Transaction, parts: Sequence[tuple[UUID, UUID, int]]) -> None:
    """`parts`: (reservation, pool, units)."""
    await tx.execute(
        _GIVE_PART_BACK,
        {
            "reservations": [part[0] for part in parts],
            "pools": [part[1] for part in parts],
            "units": [part[2] for part in parts],
        },
    )


async def forget(tx: Transaction, reservation_ids: Sequence[UUID]) -> None:
    await tx.execute(_FORGET, {"reservations": list(reservation_ids)})


async def replace(
    tx: Transaction,
    pool_id: UUID,
    merchant_id: UUID,
    buffer: int | None,
    guarantees: Sequence[tuple[UUID, int]],
) -> None:
    """A locked pool's quota; every guarantee begins anew."""
    for statement in (_CLEAR_USES, _CLEAR_GUARANTEES):
        await tx.execute(statement, {"pool": pool_id})
    await tx.execute(_SET_BUFFER, {"pool": pool_id, "buffer": buffer})
    values = {
        "pool": pool_id,
        "merchant": merchant_id,
        "channels": [channel_id for channel_id, _ in guarantees],
        "units": [units for _, units in guarantees],
    }
    await tx.execute(_ADD_GUARANTEES, values)


_GUARANTEES = text(
    "SELECT * FROM channel_quota WHERE pool_id = ANY(CAST(:pools AS uuid[])) "
    "ORDER BY pool_id, channel_id"
)
_ADD_USES = text(
    """
    WITH used AS (
      INSERT INTO quota_use (reservation_id, pool_id, merchant_id, channel_id, units)
      SELECT * FROM unnest(CAST(:reservations AS uuid[]), CAST(:pools AS uuid[]),
        CAST(:merchants AS uuid[]), CAST(:channels AS uuid[]), CAST(:units AS int[]))
      RETURNING pool_id, channel_id, units
    ), sums AS (
      SELECT pool_id, channel_id, sum(units)::int AS units FROM used GROUP BY pool_id, channel_id
    )
    UPDATE channel_quota q SET taken = q.taken + s.units FROM sums s
    WHERE q.pool_id = s.pool_id AND q.channel_id = s.channel_id
    """
)
_GIVE_BACK = text(
    """
    WITH gone AS (
      DELETE FROM quota_use WHERE reservation_id = ANY(CAST(:reservations AS uuid[]))
      RETURNING pool_id, channel_id, units
    ), sums AS (
      SELECT pool_id, channel_id, sum(units)::int AS units FROM gone GROUP BY pool_id, channel_id
    )
    UPDATE channel_quota q SET taken = q.taken - s.units FROM sums s
    WHERE q.pool_id = s.pool_id AND q.channel_id = s.channel_id
    """
)
_GIVE_PART_BACK = text(
    """
    WITH sums AS (
      SELECT u.pool_id, u.channel_id, sum(p.units)::int AS units
      FROM unnest(CAST(:reservations AS uuid[]), CAST(:pools AS uuid[]), CAST(:units AS int[]))
        AS p(reservation_id, pool_id, units)
      JOIN quota_use u USING (reservation_id, pool_id) GROUP BY u.pool_id, u.channel_id
    )
    UPDATE channel_quota q SET taken = q.taken - s.units FROM sums s
    WHERE q.pool_id = s.pool_id AND q.channel_id = s.channel_id
    """
)
_FORGET = text("DELETE FROM quota_use WHERE reservation_id = ANY(CAST(:reservations AS uuid[]))")
_CLEAR_USES = text("DELETE FROM quota_use WHERE pool_id = :pool")
_CLEAR_GUARANTEES = text("DELETE FROM channel_quota WHERE pool_id = :pool")
_SET_BUFFER = text("UPDATE pool SET quota_buffer = :buffer WHERE id = :pool")
_ADD_GUARANTEES = text(
    "INSERT INTO channel_quota (pool_id, merchant_id, channel_id, guaranteed) "
    "SELECT :pool, :merchant, * FROM unnest(CAST(:channels AS uuid[]), CAST(:units AS int[]))"
)
