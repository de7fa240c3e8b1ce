"""Taking payments: whose word counts, exact amounts, each payment once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from kit.errors import DomainError
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


@dataclass(frozen=True, slots=True)
class PayCall:
    """Somebody's word about one order; `cause` names the caller."""

    merchant_id: UUID
    order_id: UUID
    word: PaymentWord
    cause: str


class PaymentService:
    """`providers` are those enabled by the settings."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers

    async def pay_many(
        self, tx: Transaction, calls: Sequence[PayCall]
    ) -> Sequence[Receipt | DomainError]:
        """Money came. The same payment again gives the same receipt, whatever became of the order.

        Answers, per call: OrderNotFound, ChannelNotTrusted, AmountMismatch, AlreadyPaid,
        OrderNotPayable, PaymentReferenceUsed. Calls about one order are served one after another.
        """
        results: dict[int, Receipt | DomainError] = {}
        waiting = list(enumerate(calls))
        while waiting:
            wave = {call.order_id: (place, call) for place, call in reversed(waiting)}
            places = {place for place, _ in wave.values()}
            results |= await self._pay_wave(tx, list(wave.values()))
            waiting = [(place, call) for place, call in waiting if place not in places]
        return [results[place] for place in range(len(calls))]

    async def _pay_wave(
        self, tx: Transaction, wave: Sequence[tuple[int, PayCall]]
    ) -> dict[int, Receipt | DomainError]:
        """Calls about different orders."""
        locked = await orders.lock_many(tx, [call.order_id for _, call in wave])
        channels = await merchants.find_channels(
            tx, {order.channel_id for order in locked.orders.values()}
        )
        results: dict[int, Receipt | DomainError] = {}
        new: list[tuple[int, PayCall, Order, Payment]] = []
        for place, call in wave:
            try:
                order = locked.get_own(call.merchant_id, call.order_id)
                payment = self._judge(order, channels[order.channel_id], call.word)
                if isinstance(payment, Receipt):
                    results[place] = payment
                else:
                    new.append((place, call, order, payment))
            except DomainError as error:
                results[place] = error
        return results | await self._take(tx, new, locked.now)

    def _judge(self, order: Order, channel: Channel, word: PaymentWord) -> Payment | Receipt:
        """A payment to take, or the receipt of the one that was taken before."""
        self.check_amount(word, order)
        if order.payment is not None and order.paid_at is not None:
            return _repeat(order, order.payment, order.paid_at, word)
        if not saga.is_payable(order):
            raise OrderNotPayable(
                f"the order is {order.status}; refund this payment",
                order_id=str(order.id),
                status=order.status.value,
            )
        return self.accept(channel, word)

    async def _take(
        self,
        tx: Transaction,
        new: Sequence[tuple[int, PayCall, Order, Payment]],
        now: datetime,
    ) -> dict[int, Receipt | DomainError]:
        if not new:
            return {}
        written = await repository.add_many(tx, [(order, pay, now) for _, _, order, pay in new])
        results: dict[int, Receipt | DomainError] = {}
        changes: list[Change] = []
        for place, call, order, payment in new:
            if payment.id in written:
                changes.append(saga.pay(Change(order, call.cause), payment, now))
                results[place] = _receipt(order, payment, now)
            else:
                results[place] = _used(payment)
        await orders.save_many(tx, changes)
        return results

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
                raise _used(payment)


def _used(payment: Payment) -> PaymentReferenceUsed:
    return PaymentReferenceUsed(
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
