from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from order.failed_payments.domain import FAILED_MAX, FailedPayment

# The order is locked: nobody else counts, or adds, in between.
_ADD = text("""
    INSERT INTO failed_payment (order_id, provider, reference, merchant_id)
    SELECT :order_id, :provider, :reference, :merchant_id
    WHERE (SELECT count(*) FROM failed_payment WHERE order_id = :order_id) < :most
    ON CONFLICT DO NOTHING RETURNING order_id
""")


async def add(tx: Transaction, merchant_id: UUID, order_id: UUID, failed: FailedPayment) -> bool:
    """False when it is known already, or the order has too many."""
    row = await tx.execute(
        _ADD,
        {
            "order_id": order_id,
            "provider": failed.provider,
            "reference": failed.reference,
            "merchant_id": merchant_id,
            "most": FAILED_MAX,
        },
    )
    return row.scalar_one_or_none() is not None
