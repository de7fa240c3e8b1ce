"""Payments in SQL; many at a time, in a constant number of statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.money import Money
from order.orders.domain import Order, Payment
from order.payments.domain import PaymentState, PaymentStatus, Receipt

_INSERT = text(
    "INSERT INTO order_payment (id, order_id, merchant_id, provider, provider_reference, via, "
    "amount_minor, currency, paid_at, status, applied_minor, closes_order) "
    "SELECT * FROM unnest(CAST(:ids AS uuid[]), "
    "CAST(:order_ids AS uuid[]), CAST(:merchant_ids AS uuid[]), CAST(:providers AS text[]), "
    "CAST(:references AS text[]), CAST(:vias AS text[]), CAST(:amounts AS bigint[]), "
    "CAST(:currencies AS text[]), CAST(:times AS timestamptz[]), CAST(:statuses AS text[]), "
    "CAST(:applied AS bigint[]), CAST(:closing AS boolean[])) "
    "ON CONFLICT (merchant_id, provider, provider_reference) DO NOTHING RETURNING id"
)
_FIND = text(
    "SELECT p.* FROM unnest(CAST(:merchant_ids AS uuid[]), CAST(:providers AS text[]), "
    "CAST(:references AS text[])) AS w(merchant_id, provider, reference) "
    "JOIN order_payment p ON p.merchant_id = w.merchant_id AND p.provider = w.provider "
    "AND p.provider_reference = w.reference"
)
_TAKE_PARTS = text(
    "UPDATE order_payment SET status = 'taken', applied_minor = amount_minor "
    "WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'partial'"
)
# A price that came late closes its order as one that came in time does.
_TAKE_LATE = text(
    "UPDATE order_payment SET status = 'taken', applied_minor = amount_minor, closes_order = true "
    "WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'partial'"
)
_LIST = text(
    "SELECT p.* FROM (SELECT * FROM order_payment WHERE order_id = :order_id AND closes_order "
    "UNION ALL SELECT * FROM order_payment WHERE order_id = :order_id AND NOT closes_order) p "
    "WHERE CAST(:after AS uuid) IS NULL OR p.id > CAST(:after AS uuid) ORDER BY p.id LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment as it is written down; `status` says what it does for its order."""

    order: Order
    payment: Payment
    status: PaymentStatus
    paid_at: datetime

    @property
    def is_taken(self) -> bool:
        return self.status is PaymentStatus.TAKEN


async def add_many(tx: Transaction, new: Sequence[NewPayment]) -> set[UUID]:
    """Answers the ids of those that were not used before."""
    values = {
        "ids": [it.payment.id for it in new],
        "order_ids": [it.order.id for it in new],
        "merchant_ids": [it.order.merchant_id for it in new],
        "providers": [it.payment.provider for it in new],
        "references": [it.payment.provider_reference for it in new],
        "vias": [it.payment.via for it in new],
        "amounts": [it.payment.amount.amount_minor for it in new],
        "currencies": [it.payment.amount.currency for it in new],
        "times": [it.paid_at for it in new],
        "statuses": [it.status.value for it in new],
        "applied": [it.payment.applied_minor if it.is_taken else 0 for it in new],
        "closing": [it.is_taken for it in new],
    }
    return set((await tx.execute(_INSERT, values)).scalars())


async def take_parts(tx: Transaction, ids: Sequence[UUID]) -> None:
    """Parts that came before pay their order now."""
    await tx.execute(_TAKE_PARTS, {"ids": list(ids)})


async def take_late(tx: Transaction, ids: Sequence[UUID]) -> None:
    """Prices that came late pay their orders now."""
    await tx.execute(_TAKE_LATE, {"ids": list(ids)})


async def find_by_reference(
    tx: Transaction, wanted: Sequence[tuple[UUID, str, str]]
) -> dict[tuple[UUID, str, str], Receipt]:
    """The payments behind those (merchant, provider, reference) that are known."""
    values = {
        "merchant_ids": [merchant_id for merchant_id, _, _ in wanted],
        "providers": [provider for _, provider, _ in wanted],
        "references": [reference for _, _, reference in wanted],
    }
    return {
        (row.merchant_id, row.provider, row.provider_reference): _receipt(row)
        for row in await tx.execute(_FIND, values)
    }


async def list_payments(
    tx: Transaction, order_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[PaymentState]:
    values = {"order_id": order_id, "after": after, "limit": limit}
    return [_state(row) for row in await tx.execute(_LIST, values)]


def _state(row: Any) -> PaymentState:  # a row has no static type
    return PaymentState(
        _receipt(row),
        PaymentStatus(row.status),
        Money(row.applied_minor, row.currency),
        Money(row.back_minor, row.currency),
    )


def _receipt(row: Any) -> Receipt:  # a row has no static type
    return Receipt(
        row.id,
        row.order_id,
        row.provider,
        row.provider_reference,
        Money(row.amount_minor, row.currency),
        row.paid_at,
    )
