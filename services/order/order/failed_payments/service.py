"""Hears of refused payments from providers, and from those whose word on money counts."""

from uuid import UUID

from kit.db import Transaction
from kit.messaging import outbox
from order.failed_payments import domain, events, repository
from order.failed_payments.domain import FailedPayment
from order.merchants import service as merchants
from order.orders import service as orders
from order.orders.domain import Order
from order.payments.service import PaymentService


async def note(
    tx: Transaction, merchant_id: UUID, order_id: UUID, failed: FailedPayment, cause: str
) -> Order:
    """On the timeline, and told to risk; once for each reference, FAILED_MAX times for an order.
    Raises OrderNotFound.
    """
    order, _ = await orders.lock_own(tx, merchant_id, order_id)
    await _note(tx, order, failed, cause)
    return order


async def note_word(
    tx: Transaction,
    payments: PaymentService,
    merchant_id: UUID,
    order_id: UUID,
    failed: FailedPayment,
    cause: str,
) -> Order:
    """As `note`, for whoever may say that money came. Also raises ChannelNotTrusted."""
    order, _ = await orders.lock_own(tx, merchant_id, order_id)
    channels = await merchants.find_channels(tx, {order.channel_id})
    payments.via(channels[order.channel_id], failed.provider)
    await _note(tx, order, failed, cause)
    return order


async def _note(tx: Transaction, order: Order, failed: FailedPayment, cause: str) -> None:
    if await repository.add(tx, order.merchant_id, order.id, failed):
        await orders.save_many(tx, [domain.note(order, failed, cause)])
        event = events.payment_failed(order, failed)
        outbox.add(tx, event, key=order.id, merchant_id=order.merchant_id)
