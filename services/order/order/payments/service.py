"""Taking payments: whose word counts, exact amounts, each payment once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from order.merchants import service as merchants
from order.merchants.domain import Channel, ChannelNotTrusted
from order.orders import service as orders
from order.orders.domain import (
    AlreadyPaid,
    Change,
    Order,
    OrderNotPayable,
    Payment,
)
from order.payments import repository
from order.payments.domain import AmountMismatch, PaymentReferenceUsed, PaymentWord, Receipt
from order.provider import CHANNEL, Provider
from order.saga import domain as saga


class PaymentService:
    """`providers` are those enabled by the settings."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers

    async def pay(
        self, tx: Transaction, merchant_id: UUID, order_id: UUID, word: PaymentWord, cause: str
    ) -> Receipt:
        """Money came. The same payment again gives the same receipt, whatever became of the order.

        Raises OrderNotFound, ChannelNotTrusted, AmountMismatch, AlreadyPaid, OrderNotPayable,
        PaymentReferenceUsed.
        """
        order, now = await orders.lock_own(tx, merchant_id, order_id)
        self.check_amount(word, order)
        if order.payment is not None and order.paid_at is not None:
            return _repeat(order, order.payment, order.paid_at, word)
        if not saga.is_payable(order):
            raise OrderNotPayable(
                f"the order is {order.status}; refund this payment",
                order_id=str(order.id),
                status=order.status.value,
            )
        channel = await merchants.get_channel(tx, merchant_id, order.channel_id)
        payment = self.accept(channel, word)
        await self.record(tx, [(order, payment, now)])
        await orders.save_many(tx, [saga.pay(Change(order, cause), payment, now)])
        return _receipt(order, payment, now)

    def accept(self, channel: Channel, word: PaymentWord) -> Payment:
        """The payment this word stands for. Raises ChannelNotTrusted when it does not count."""
        provider = self._providers.get(word.provider)
        if provider is not None and provider.takes_word:
            via = provider.name
        elif channel.is_trusted:
            via = CHANNEL
        else:
            raise ChannelNotTrusted(channel_id=str(channel.id))
        return Payment(new_id(), via, word.provider, word.provider_reference, word.amount)

    def check_amount(self, word: PaymentWord, order: Order) -> None:
        """Raises AmountMismatch with both figures."""
        if word.amount != order.total:
            raise AmountMismatch(
                f"the order's total is {order.total}",
                expected={"amount": order.total.amount_minor, "currency": order.total.currency},
                given={"amount": word.amount.amount_minor, "currency": word.amount.currency},
                errors=[{"pointer": "/amount", "code": AmountMismatch.code, "detail": "not exact"}],
            )

    async def record(
        self, tx: Transaction, taken: Sequence[tuple[Order, Payment, datetime]]
    ) -> None:
        """Writes payments of orders whose rows exist. Raises PaymentReferenceUsed."""
        written = await repository.add_many(tx, taken)
        for _, payment, _ in taken:
            if payment.id not in written:
                raise PaymentReferenceUsed(
                    provider=payment.provider, provider_reference=payment.provider_reference
                )


def _repeat(order: Order, payment: Payment, paid_at: datetime, word: PaymentWord) -> Receipt:
    if (payment.provider, payment.provider_reference) != (word.provider, word.provider_reference):
        raise AlreadyPaid(order_id=str(order.id), payment_id=str(payment.id))
    return _receipt(order, payment, paid_at)


def _receipt(order: Order, payment: Payment, paid_at: datetime) -> Receipt:
    return Receipt(
        payment.id,
        order.id,
        payment.provider,
        payment.provider_reference,
        payment.amount,
        paid_at,
    )
