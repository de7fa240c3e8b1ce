from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from inventory_vault.custody.domain import KeyInUse, RotationRunning
from kit.db import Transaction, constraint_of


async def add_rotation(tx: Transaction, rotation_id: UUID, reason: str, requested_by: str) -> None:
    """Raises RotationRunning."""
    values = {"id": rotation_id, "reason": reason, "caller": requested_by}
    try:
        await tx.execute(_ADD_ROTATION, values)
    except IntegrityError as error:
        if constraint_of(error) == "uq_key_rotation_running":
            raise RotationRunning from error
        raise


async def list_keys(tx: Transaction, limit: int) -> Sequence[KeyInUse]:
    """The newest first, each with what is sealed under it still."""
    rows = await tx.execute(_LIST_KEYS, {"limit": limit})
    return [KeyInUse(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public API


_ADD_ROTATION = text(
    "INSERT INTO key_rotation (id, state, reason, requested_by) "
    "VALUES (:id, 'running', :reason, :caller)"
)

# What the seals of a lot do not count themselves, they share: a lot that was imported in parts has
# a seal for each, all under one key.
_LIST_KEYS = text(
    """
    SELECT k.key_id, k.state, k.created_at, k.rotated_at, k.retired_at,
      coalesce(round(s.units), 0)::bigint AS units, coalesce(s.lots, 0)::bigint AS lots
    FROM sealing_key k
    LEFT JOIN (
      SELECT key_id, sum(units) AS units, count(DISTINCT lot_id) AS lots FROM (
        SELECT s.key_id, s.lot_id, coalesce(s.units::numeric,
          (l.size - coalesce(d.units, 0) - sum(coalesce(s.units, 0)) OVER lot)::numeric
            / nullif(count(*) FILTER (WHERE s.units IS NULL) OVER lot, 0)) AS units
        FROM lot_seal s JOIN lot l ON l.id = s.lot_id
        LEFT JOIN (
          SELECT lot_id, sum(units) AS units FROM shredding GROUP BY lot_id
        ) d ON d.lot_id = l.id
        WINDOW lot AS (PARTITION BY s.lot_id)
      ) shares GROUP BY key_id
    ) s ON s.key_id = k.key_id
    ORDER BY k.created_at DESC, k.key_id LIMIT :limit
    """
)
