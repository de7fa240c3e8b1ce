"""Taking payments: whose word counts, what money that came does for its order, each once.

A *word* is what a caller says happened: it is refused when it does not fit (wrong amount, order
paid or ended), because then the caller still has the money and decides. *Money that came* (a
provider's callback or answer) is never refused: it pays, is kept as a part, or goes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kit.db import Transaction
from kit.errors import DomainError
from kit.ids import new_id
from kit.money import Money
from order.late_payments import domain as late
from order.merchants import service as merchants
from order.merchants.domain import Channel, ChannelNotTrusted
from order.orders import service as orders
from order.orders.domain import AlreadyPaid, Change, Order, OrderNotPayable, Payment
from order.orders.service import Locked
from order.payments import domain, repository
from order.payments.domain import (
    AmountMismatch,
    PaymentReferenceUsed,
    PaymentState,
    PaymentStatus,
    PaymentWord,
    Receipt,
)
from order.payments.repository import NewPayment
from order.provider import CHANNEL, Provider
from order.refunds import service as refunds
from order.saga import domain as saga
from order.timeline import service as timeline

NEVER = timedelta()
SETTLED = "wait_settled"
"""The kind of the entry that says so of a refund."""


@dataclass(frozen=True, slots=True)
class PayCall:
    """A payment of one order; `cause` names who tells it (`api_key:<id>`, `provider:<name>`).

    `has_come`: the provider itself says that the money is there. It is recorded whatever the order
    is, through `word.provider`, and given back through it where the order cannot use it.
    """

    merchant_id: UUID
    order_id: UUID
    word: PaymentWord
    cause: str
    has_come: bool = False


@dataclass(frozen=True, slots=True)
class _Decided:
    """What a call means, if its payment is not known yet."""

    place: int
    call: PayCall
    new: NewPayment
    change: Change


class PaymentService:
    """`providers` are those enabled by the settings; `late_within`: for so long after its time an
    order's price still counts, if its channel says so.
    """

    def __init__(
        self, providers: Mapping[str, Provider], *, late_within: timedelta = NEVER
    ) -> None:
        self._providers = providers
        self._late_within = late_within

    async def pay_many(
        self, tx: Transaction, calls: Sequence[PayCall]
    ) -> Sequence[Receipt | DomainError]:
        """Money came. The same payment again gives the same receipt, whatever became of the order.

        Answers, per call: OrderNotFound, PaymentReferenceUsed (it is another order's payment),
        AmountMismatch; for a word also ChannelNotTrusted, AlreadyPaid, OrderNotPayable. Money that
        has come gets a receipt in every other case. Calls about one order are served one after
        another.
        """
        locked = await orders.lock_many(tx, {call.order_id for call in calls})
        channels = await merchants.find_channels(
            tx, {order.channel_id for order in locked.orders.values()}
        )
        results: dict[int, Receipt | DomainError] = {}
        waiting = list(enumerate(calls))
        while waiting:
            wave = {call.order_id: (place, call) for place, call in reversed(waiting)}
            places = {place for place, _ in wave.values()}
            results |= await self._pay_wave(tx, list(wave.values()), locked, channels)
            waiting = [(place, call) for place, call in waiting if place not in places]
        return [results[place] for place in range(len(calls))]

    async def _pay_wave(
        self,
        tx: Transaction,
        wave: Sequence[tuple[int, PayCall]],
        locked: Locked,
        channels: Mapping[UUID, Channel],
    ) -> dict[int, Receipt | DomainError]:
        """Calls about different orders; `locked` knows afterwards what they made of theirs."""
        results: dict[int, Receipt | DomainError] = {}
        decided: list[_Decided] = []
        for place, call in wave:
            try:
                order = locked.get_own(call.merchant_id, call.order_id)
                channel = channels[order.channel_id]
                known = _known(order, call.word)
                if known is not None:
                    results[place] = known
                else:
                    new, change = self._decide(order, channel, call, locked.now)
                    decided.append(_Decided(place, call, new, change))
            except DomainError as error:
                results[place] = error
        return results | await self._take(tx, decided, locked)

    def _decide(
        self, order: Order, channel: Channel, call: PayCall, now: datetime
    ) -> tuple[NewPayment, Change]:
        """What a payment that is not known yet does. A word is refused where it does not fit."""
        change = Change(order, call.cause)
        word = call.word
        if call.has_come:
            payment = _payment(word.provider, word)
            kept = late.keep(change, payment, channel.late_payments, self._late_within, now)
            if kept is not None:
                return NewPayment(order, payment, PaymentStatus.PARTIAL, now), kept
            return _use(change, payment, now)
        self.check_amount(word, order)
        if order.payment is not None:
            raise AlreadyPaid(order_id=str(order.id), payment_id=str(order.payment.id))
        if not saga.is_payable(order):
            raise OrderNotPayable(
                f"the order is {order.status}; refund this payment",
                order_id=str(order.id),
                status=order.status.value,
            )
        return _use(change, self.accept(channel, word), now)

    async def _take(
        self, tx: Transaction, decided: Sequence[_Decided], locked: Locked
    ) -> dict[int, Receipt | DomainError]:
        if not decided:
            return {}
        written = await repository.add_many(tx, [it.new for it in decided])
        taken = [it for it in decided if it.new.payment.id in written]
        repeated = [it for it in decided if it.new.payment.id not in written]
        parts = [
            part.id
            for it in taken
            if it.new.status is PaymentStatus.TAKEN
            for part in it.change.order.parts[:-1]
        ]
        if parts:
            await repository.take_parts(tx, parts)
        await orders.save_many(tx, [it.change for it in taken])
        locked.orders.update({it.call.order_id: it.change.order for it in taken})
        results: dict[int, Receipt | DomainError] = {it.place: _receipt(it.new) for it in taken}
        return results | await _repeats(tx, repeated)

    async def come_back(
        self, tx: Transaction, merchant_id: UUID, refund_id: UUID, cause: str
    ) -> bool:
        """A refund that was made did not reach the buyer: its money is here again, and is not owed
        by anybody. It waits to be given back in another way. Told again it is the same; False when
        the provider made no such refund.
        """
        refund = await refunds.find_done(tx, merchant_id, refund_id)
        if refund is None:
            return False
        locked = await orders.lock_many(tx, {refund.order_id})
        # Somebody gave it back in another way, for it had failed before: this is no news.
        if await timeline.is_told(tx, refund.order_id, SETTLED, {"wait_id": str(refund.id)}):
            return False
        # No payment of the provider's is named so: nobody can be asked to give this one back.
        word = PaymentWord(refund.provider, f"refund:{refund.id}", refund.amount)
        call = PayCall(merchant_id, refund.order_id, word, cause, has_come=True)
        order, payment = locked.get_own(merchant_id, refund.order_id), _payment(word.provider, word)
        change = domain.return_payment(Change(order, cause), payment, "a refund came back")
        new = NewPayment(order, payment, PaymentStatus.SURPLUS, locked.now)
        await self._take(tx, [_Decided(0, call, new, change)], locked)
        return True

    def accept(self, channel: Channel, word: PaymentWord) -> Payment:
        """The payment this word stands for. Raises ChannelNotTrusted when it does not count: that
        nothing was paid of an order that costs nothing needs nobody's trust.
        """
        is_free = word.amount.amount_minor == 0
        return _payment(CHANNEL if is_free else self.via(channel, word.provider), word)

    def via(self, channel: Channel, provider_name: str) -> str:
        """Whose word it is that something became of a payment: the provider's or the channel's.
        Raises ChannelNotTrusted when it does not count.
        """
        provider = self._providers.get(provider_name)
        if provider is not None and provider.takes_word:
            return provider.name
        if channel.is_trusted:
            return CHANNEL
        raise ChannelNotTrusted(channel_id=str(channel.id))

    def check_amount(self, word: PaymentWord, order: Order) -> None:
        """Raises AmountMismatch with both figures."""
        if word.amount != order.total:
            raise _mismatch(order.total, word.amount)

    async def record(
        self, tx: Transaction, taken: Sequence[tuple[Order, Payment, datetime]]
    ) -> None:
        """Writes payments of orders whose rows exist. Raises PaymentReferenceUsed."""
        new = [NewPayment(order, payment, PaymentStatus.TAKEN, at) for order, payment, at in taken]
        written = await repository.add_many(tx, new)
        for _, payment, _ in taken:
            if payment.id not in written:
                raise _used(payment.provider, payment.provider_reference)


async def take_late(tx: Transaction, payment_ids: Sequence[UUID]) -> None:
    """Prices that came late and were kept pay their orders now."""
    if payment_ids:
        await repository.take_late(tx, payment_ids)


async def list_payments(
    tx: Transaction, merchant_id: UUID, order_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[PaymentState]:
    """All money that came for an order, the first first. Raises OrderNotFound."""
    await orders.get_order(tx, merchant_id, order_id)
    return await repository.list_payments(tx, order_id, after=after, limit=limit)


def _use(change: Change, payment: Payment, now: datetime) -> tuple[NewPayment, Change]:
    """The payment pays the order, is kept as a part of its price, or goes back."""
    order = change.order
    why = domain.why_unusable(order, payment, is_payable=saga.is_payable(order))
    if why is not None:
        status, change = PaymentStatus.SURPLUS, domain.return_payment(change, payment, why)
    elif payment.amount.amount_minor < order.owed.amount_minor:
        status, change = PaymentStatus.PARTIAL, domain.keep_part(change, payment)
    else:
        payment = domain.fitted(order, payment)
        status, change = PaymentStatus.TAKEN, saga.pay(change, payment, now)
    return NewPayment(order, payment, status, now), change


async def _repeats(
    tx: Transaction, repeated: Sequence[_Decided]
) -> dict[int, Receipt | DomainError]:
    """The receipts of payments that were known already."""
    if not repeated:
        return {}
    names = {it.place: _name(it.call) for it in repeated}
    known = await repository.find_by_reference(tx, list(set(names.values())))
    return {it.place: _repeat(it.call, known[names[it.place]]) for it in repeated}


def _repeat(call: PayCall, receipt: Receipt) -> Receipt | DomainError:
    if receipt.order_id != call.order_id:
        return _used(call.word.provider, call.word.provider_reference)
    if receipt.amount != call.word.amount:
        return _mismatch(receipt.amount, call.word.amount)
    return receipt


def _known(order: Order, word: PaymentWord) -> Receipt | DomainError | None:
    """The receipt of the payment that paid the order, when it is told again."""
    payment = order.payment
    if payment is None or order.paid_at is None:
        return None
    if (payment.provider, payment.provider_reference) != (word.provider, word.provider_reference):
        return None
    if payment.amount != word.amount:
        return _mismatch(payment.amount, word.amount)
    return _receipt(NewPayment(order, payment, PaymentStatus.TAKEN, order.paid_at))


def _mismatch(expected: Money, given: Money) -> AmountMismatch:
    return AmountMismatch(
        f"{expected} is expected",
        expected={"amount": expected.amount_minor, "currency": expected.currency},
        given={"amount": given.amount_minor, "currency": given.currency},
        errors=[{"pointer": "/amount", "code": AmountMismatch.code, "detail": "not exact"}],
    )


def _payment(via: str, word: PaymentWord) -> Payment:
    return Payment(new_id(), via, word.provider, word.provider_reference, word.amount)


def _name(call: PayCall) -> tuple[UUID, str, str]:
    return call.merchant_id, call.word.provider, call.word.provider_reference


def _used(provider: str, provider_reference: str) -> PaymentReferenceUsed:
    return PaymentReferenceUsed(provider=provider, provider_reference=provider_reference)


def _receipt(new: NewPayment) -> Receipt:
    payment = new.payment
    return Receipt(
        payment.id,
        new.order.id,
        payment.provider,
        payment.provider_reference,
        payment.amount,
        new.paid_at,
    )
