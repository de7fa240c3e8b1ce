"""SQL of a compromised key: which stock it exposes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from inventory_vault.on_shelf import ON_SHELF
from kit.db import Transaction
from kit.ids import new_id


@dataclass(frozen=True, slots=True)
class MarkedKey:
    """What a key was before; `successor` was made active in its place."""

    state_before: str
    successor: UUID | None


@dataclass(frozen=True, slots=True)
class ShelfLot:
    lot_id: UUID
    pool_id: UUID


@dataclass(frozen=True, slots=True)
class ExposedHold:
    reservation_id: UUID
    units: int


@dataclass(frozen=True, slots=True)
class ExposedLot:
    supplier: str
    merchant_id: UUID
    lot_id: UUID
    units_on_shelf: int
    imported_at: datetime
    note: str


async def mark(
    tx: Transaction, key_id: UUID, successor: UUID, public_key: bytes, wrapped: bytes
) -> MarkedKey | None:
    """None for a key that is retired or unknown. An active key is followed by `successor`."""
    row = (await tx.execute(_LOCK, {"key": key_id})).one_or_none()
    if row is None or row.state == "retired":
        return None
    await tx.execute(_SET_STATE, {"key": key_id, "state": "compromised"})
    if row.state != "active":
        return MarkedKey(row.state, None)
    await tx.execute(_ADD, {"key": successor, "public": public_key, "wrapped": wrapped})
    return MarkedKey(row.state, successor)


async def unmark(tx: Transaction, key_id: UUID, marked: MarkedKey) -> None:
    """As it was. A successor that stock was sealed to meanwhile stays, to open it."""
    if marked.successor is not None:
        await tx.execute(_LOCK, {"key": marked.successor})
        await tx.execute(_DROP_UNUSED, {"key": marked.successor})
        await tx.execute(_SET_STATE, {"key": marked.successor, "state": "open_only"})
    await tx.execute(_SET_STATE, {"key": key_id, "state": marked.state_before})


async def end_rotation(tx: Transaction, key_id: UUID) -> None:
    """A rotation to or from this key is over: it cannot finish."""
    await tx.execute(_END_ROTATION, {"key": key_id})


async def lots_on_shelf(tx: Transaction, key_id: UUID, limit: int) -> list[ShelfLot]:
    """Lots with any unit sealed under the key."""
    rows = await tx.execute(_LOTS_ON_SHELF, {"key": key_id, "limit": limit})
    return [ShelfLot(row.id, row.pool_id) for row in rows]


async def pools_of(tx: Transaction, lot_ids: Sequence[UUID]) -> set[UUID]:
    rows = await tx.execute(_POOLS_OF, {"lots": list(lot_ids)})
    return {row.pool_id for row in rows}


async def move_lots(
    tx: Transaction, lot_ids: Sequence[UUID], before: str, after: str, reason: str, by: str
) -> list[tuple[UUID, UUID]]:
    """(lot, merchant) of those that were in the state `before`; noted as acts. Under the pools'
    lock.
    """
    rows = await tx.execute(
        _MOVE_LOTS,
        {
            "lots": list(lot_ids),
            "ids": [new_id() for _ in lot_ids],
            "before": before,
            "after": after,
            "action": "quarantine" if after == "quarantined" else "restore",
            "reason": reason,
            "by": by,
        },
    )
    return [(row.id, row.merchant_id) for row in rows]


async def holds(tx: Transaction, key_id: UUID) -> list[ExposedHold]:
    """What is held of lots with any unit sealed under the key."""
    return [
        ExposedHold(row.reservation_id, row.units)
        for row in await tx.execute(_HOLDS, {"key": key_id})
    ]


async def exposed_lots(tx: Transaction, key_id: UUID) -> list[ExposedLot]:
    """By supplier, the oldest first, with what is on their shelves."""
    return [
        ExposedLot(
            row.supplier, row.merchant_id, row.id, row.on_shelf, row.created_at, row.note or ""
        )
        for row in await tx.execute(_EXPOSED, {"key": key_id})
    ]


_LOCK = text("SELECT state FROM sealing_key WHERE key_id = :key FOR UPDATE")

_SET_STATE = text("UPDATE sealing_key SET state = :state WHERE key_id = :key")

_ADD = text(
    "INSERT INTO sealing_key (key_id, public_key, wrapped_private_key, state) "
    "VALUES (:key, :public, :wrapped, 'active')"
)

_DROP_UNUSED = text(
    "DELETE FROM sealing_key WHERE key_id = :key "
    "AND NOT EXISTS (SELECT 1 FROM lot_seal WHERE key_id = :key)"
)

_END_ROTATION = text(
    "UPDATE key_rotation SET state = 'finished', finished_at = clock_timestamp() "
    "WHERE state = 'running' AND :key IN (old_key_id, key_id)"
)

_LOTS_ON_SHELF = text(
    """
    SELECT l.id, l.pool_id FROM lot l
    WHERE l.state = 'on_shelf'
      AND l.id IN (SELECT s.lot_id FROM lot_seal s WHERE s.key_id = :key)
    ORDER BY l.id LIMIT :limit
    """
)

_POOLS_OF = text("SELECT DISTINCT pool_id FROM lot WHERE id = ANY(CAST(:lots AS uuid[]))")

_MOVE_LOTS = text(
    """
    WITH moved AS (
      UPDATE lot l SET state = :after
      FROM unnest(CAST(:lots AS uuid[]), CAST(:ids AS uuid[])) AS n(lot_id, action_id)
      WHERE l.id = n.lot_id AND l.state = :before
      RETURNING l.id, l.merchant_id, n.action_id
    ), noted AS (
      INSERT INTO stock_action (id, merchant_id, lot_id, action, reason, requested_by)
      SELECT action_id, merchant_id, id, :action, :reason, :by FROM moved
    )
    SELECT id, merchant_id FROM moved
    """
)

_HOLDS = text(
    """
    SELECT a.reservation_id, count(*)::int AS units FROM allocation a
    WHERE a.state = 'reserved'
      AND a.lot_id IN (SELECT s.lot_id FROM lot_seal s WHERE s.key_id = :key)
    GROUP BY a.reservation_id ORDER BY a.reservation_id
    """
)

_EXPOSED = text(
    f"""
    SELECT l.supplier, l.merchant_id, l.id, l.created_at, l.note,
      {ON_SHELF} AS on_shelf
    FROM lot l
    WHERE l.state IN ('on_shelf', 'inactive', 'quarantined')
      AND l.id IN (SELECT s.lot_id FROM lot_seal s WHERE s.key_id = :key)
    ORDER BY l.supplier, l.created_at, l.id
    """  # noqa: S608 - constant parts
)
