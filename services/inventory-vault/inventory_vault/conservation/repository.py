from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction


async def longest_unchecked(tx: Transaction, limit: int) -> list[tuple[UUID, UUID, int]]:
    """(lot, merchant, units) of the lots that wait longest for their rows to be counted."""
    rows = await tx.execute(_LONGEST_UNCHECKED, {"limit": limit})
    return [(row.id, row.merchant_id, row.size) for row in rows]


async def note_check(tx: Transaction, lot_id: UUID, merchant_id: UUID, *, holds: bool) -> None:
    await tx.execute(_NOTE, {"lot": lot_id, "merchant": merchant_id, "holds": holds})


_LONGEST_UNCHECKED = text(
    """
    SELECT l.id, l.merchant_id, l.size FROM lot l LEFT JOIN lot_check c ON c.lot_id = l.id
    WHERE l.state NOT IN ('importing', 'undone')
    ORDER BY c.checked_at NULLS FIRST, l.id LIMIT :limit
    """
)

_NOTE = text(
    """
    INSERT INTO lot_check (lot_id, merchant_id, holds) VALUES (:lot, :merchant, :holds)
    ON CONFLICT (lot_id) DO UPDATE SET holds = excluded.holds, checked_at = clock_timestamp()
    """
)
