from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from order.orders.domain import Order, Payment

_INSERT = text(
    "INSERT INTO order_payment (id, order_id, merchant_id, provider, provider_reference, via, "
    "amount_minor, currency, paid_at) SELECT * FROM unnest(CAST(:ids AS uuid[]), "
    "CAST(:order_ids AS uuid[]), CAST(:merchant_ids AS uuid[]), CAST(:providers AS text[]), "
    "CAST(:references AS text[]), CAST(:vias AS text[]), CAST(:amounts AS bigint[]), "
    "CAST(:currencies AS text[]), CAST(:times AS timestamptz[])) "
    "ON CONFLICT (merchant_id, provider, provider_reference) DO NOTHING RETURNING id"
)


async def add_many(tx: Transaction, taken: Sequence[tuple[Order, Payment, datetime]]) -> set[UUID]:
    """Answers the ids of those that were not used before."""
    values = {
        "ids": [payment.id for _, payment, _ in taken],
        "order_ids": [order.id for order, _, _ in taken],
        "merchant_ids": [order.merchant_id for order, _, _ in taken],
        "providers": [payment.provider for _, payment, _ in taken],
        "references": [payment.provider_reference for _, payment, _ in taken],
        "vias": [payment.via for _, payment, _ in taken],
        "amounts": [payment.amount.amount_minor for _, payment, _ in taken],
        "currencies": [payment.amount.currency for _, payment, _ in taken],
        "times": [paid_at for _, _, paid_at in taken],
    }
    return set((await tx.execute(_INSERT, values)).scalars())
