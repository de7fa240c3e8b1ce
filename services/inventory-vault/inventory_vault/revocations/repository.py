from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from inventory_vault.revocations.domain import Revocation
from kit.db import Transaction


async def add(
    tx: Transaction, merchant_id: UUID, unit_id: UUID, reason: str, requested_by: str
) -> bool:
    """Of a locked unit that is sold; False when something of it is redeemed, or it was revoked
    before.
    """
    values = {
        "unit": unit_id,
        "merchant": merchant_id,
        "reason": reason,
        "caller": requested_by,
    }
    return (await tx.execute(_ADD, values)).rowcount == 1


async def find(tx: Transaction, unit_id: UUID) -> Revocation | None:
    row = (await tx.execute(_FIND, {"unit": unit_id})).one_or_none()
    if row is None:
        return None
    return Revocation(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public API


async def sales_with_one(tx: Transaction, reservation_ids: Sequence[UUID]) -> set[UUID]:
    """Those of which at least one unit is revoked."""
    return set((await tx.execute(_SALES_WITH_ONE, {"ids": list(reservation_ids)})).scalars())


_ADD = text(
    """
    INSERT INTO unit_revocation (unit_id, merchant_id, lot_id, reason, requested_by)
    SELECT u.unit_id, u.merchant_id, u.lot_id, :reason, :caller
    FROM unit u JOIN allocation a ON a.lot_id = u.lot_id AND a.seq = u.seq
    WHERE u.unit_id = :unit AND u.merchant_id = :merchant AND a.state IN ('sold', 'opened')
      AND NOT EXISTS (SELECT 1 FROM unit_balance b
        WHERE b.lot_id = u.lot_id AND b.seq = u.seq AND b.standing > 0)
    ON CONFLICT (unit_id) DO NOTHING
    """
)

_FIND = text(
    """
    SELECT unit_id, merchant_id, lot_id, reason, requested_by, revoked_at
    FROM unit_revocation WHERE unit_id = :unit
    """
)

_SALES_WITH_ONE = text(
    """
    SELECT DISTINCT a.reservation_id
    FROM allocation a JOIN unit u ON u.lot_id = a.lot_id AND u.seq = a.seq
    JOIN unit_revocation v ON v.unit_id = u.unit_id
    WHERE a.reservation_id = ANY(CAST(:ids AS uuid[]))
    """
)
