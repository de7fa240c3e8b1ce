from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from inventory_vault.vouchers.domain import Terms
from kit.db import Transaction
from kit.money import Money


async def is_future(tx: Transaction, moment: datetime) -> bool:
    """By the database's clock."""
    row = (await tx.execute(_IS_FUTURE, {"moment": moment})).one()
    return bool(row.is_future)


async def lock_lot(tx: Transaction, lot_id: UUID) -> None:
    """Waits for reservations of the lot that are under way, and keeps new ones out."""
    await tx.execute(_LOCK_LOT, {"lot": lot_id})


async def is_taken(tx: Transaction, lot_id: UUID) -> bool:
    """Whether a unit of the lot is held or was sold."""
    row = (await tx.execute(_IS_TAKEN, {"lot": lot_id})).one()
    return bool(row.is_taken)


async def put(tx: Transaction, merchant_id: UUID, lot_id: UUID, terms: Terms) -> None:
    await tx.execute(
        _PUT,
        {
            "lot": lot_id,
            "merchant": merchant_id,
            "face_value": terms.face_value.amount_minor,
            "currency": terms.face_value.currency,
            "valid_from": terms.valid_from,
            "per_buyer": terms.per_buyer,
            "per_shop": terms.per_shop,
        },
    )


async def find(tx: Transaction, lot_id: UUID) -> Terms | None:
    row = (await tx.execute(_FIND, {"lot": lot_id})).one_or_none()
    return _to_domain(row) if row else None


def _to_domain(row: Row[Any]) -> Terms:
    return Terms(
        face_value=Money(row.face_value, row.currency),
        valid_from=row.valid_from,
        per_buyer=row.per_buyer,
        per_shop=row.per_shop,
    )


_IS_FUTURE = text("SELECT CAST(:moment AS timestamptz) > clock_timestamp() AS is_future")

# Who reserves writes the lot's row: a hold is seen once this has the lock, or begins after it.
_LOCK_LOT = text("SELECT id FROM lot WHERE id = :lot FOR UPDATE")

_IS_TAKEN = text("SELECT EXISTS (SELECT 1 FROM allocation WHERE lot_id = :lot) AS is_taken")

_PUT = text(
    """
    INSERT INTO voucher_terms
      (lot_id, merchant_id, face_value, currency, valid_from, per_buyer, per_shop)
    VALUES (:lot, :merchant, :face_value, :currency, :valid_from, :per_buyer, :per_shop)
    ON CONFLICT (lot_id) DO UPDATE SET face_value = excluded.face_value,
      currency = excluded.currency, valid_from = excluded.valid_from,
      per_buyer = excluded.per_buyer, per_shop = excluded.per_shop, set_at = clock_timestamp()
    """
)

_FIND = text(
    "SELECT face_value, currency, valid_from, per_buyer, per_shop FROM voucher_terms "
    "WHERE lot_id = :lot"
)
