"""The money of one order: it comes, pays, is kept as a part, or goes back. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Invalid
from kit.ids import new_id
from kit.money import Money
from order.lines.domain import Line, LineStatus
from order.orders.domain import Arrival, Change, GivenBack, Order, OrderStatus, Payment
from order.refunds.domain import (
    LineNotFound,
    LineWanted,
    NothingToRefund,
    OrderNotRefundable,
    OutcomeUnknown,
    Refund,
    RefundTooLarge,
    RefundWanted,
)


class PaymentStatus(StrEnum):
    TAKEN = "taken"  # pays the order, or a part of it
    PARTIAL = "partial"  # came, and the rest is awaited
    SURPLUS = "surplus"  # the order cannot use it: it goes back
    RETURNING = "returning"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class PaymentWord:
    """Somebody's word that money came. `provider_reference` is the payment's number there."""

    provider: str
    provider_reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Receipt:
    """A payment that was recorded: its first answer and every later one."""

    id: UUID
    order_id: UUID
    provider: str
    provider_reference: str
    amount: Money
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentState:
    """A payment and what has become of it. `back` is on its way back or there."""

    receipt: Receipt
    status: PaymentStatus
    applied: Money
    back: Money


class AmountMismatch(Invalid):
    """The payment is not exactly the order's total in the order's currency."""

    code = "amount_mismatch"


class PaymentReferenceUsed(Conflict):
    """This payment has paid another order already."""

    code = "payment_reference_used"


def fitted(order: Order, payment: Payment) -> Payment:
    """The payment of an order that it pays, with what is too much of it."""
    return replace(payment, surplus_minor=(payment.amount - order.owed).amount_minor)


def why_unusable(order: Order, payment: Payment, *, is_payable: bool) -> str | None:
    """Why money that came cannot pay the order; None when it can, wholly or in part."""
    if payment.amount.currency != order.total.currency:
        return f"the order is in {order.total.currency}"
    if order.payment is not None:
        return "the order was paid by another payment"
    return None if is_payable else f"the order is {order.status}"


def told_paid(change: Change, payment: Payment) -> Change:
    """The entry that says by which payment the order is paid."""
    return change.told("paid", f"paid by {payment.provider}", **_told(payment))


def keep_part(change: Change, payment: Payment) -> Change:
    """Less came than is owed: it is kept until the rest comes or the order ends."""
    change = change.with_order(parts=(*change.order.parts, payment))
    owed = change.order.owed.amount_minor
    change = change.told(
        "payment_partial", f"a part came by {payment.provider}", **_told(payment), still_owed=owed
    )
    return change.reported(Arrival(payment, payment.amount, is_part=True, reason="a part"))


def keep_late(change: Change, payment: Payment) -> Change:
    """The whole price came after the order had ended: kept until its goods are held anew."""
    ended = change.order.status.value
    change = change.with_order(parts=(payment,)).told(
        "payment_late",
        f"the whole price came by {payment.provider} after the order was {ended}",
        **_told(payment),
    )
    return change.reported(Arrival(payment, payment.amount, is_part=True, reason="came late"))


def return_payment(change: Change, payment: Payment, reason: str) -> Change:
    """The whole payment pays nothing: it goes back."""
    summary = f"money came that is not owed: {reason}"
    change = change.told("payment_unusable", summary, **_told(payment), reason=reason)
    return return_surplus(change, payment, payment.amount, reason)


def return_surplus(change: Change, payment: Payment, surplus: Money, reason: str) -> Change:
    """What the order cannot use of a payment goes back."""
    change = change.reported(Arrival(payment, surplus, is_part=False, reason=reason))
    return _give_back(change, payment, surplus, reason)


def end_unpaid(change: Change, reason: str) -> Change:
    """An order that ends without having been paid gives back the parts that came."""
    parts = change.order.parts
    change = change.with_order(parts=())
    for payment in parts:
        change = _give_back(change, payment, payment.amount, reason)
    return change


def _give_back(change: Change, payment: Payment, amount: Money, reason: str) -> Change:
    if amount.currency == change.order.total.currency:
        surplus = change.order.surplus_minor + amount.amount_minor
        change = change.with_order(surplus_minor=surplus)
    if amount.amount_minor == 0:
        return change
    return _owe(change, _refund(change.order, payment, amount, reason), "a payment is returned")


def owe_line(
    change: Change, line: Line, amount: Money, reason: str, wanted: RefundWanted | None = None
) -> Change:
    """Money of a line goes back, out of the payments in the order in which they came."""
    before = sum(it.refund_minor for it in change.order.lines)
    for payment, minor in _shares(change.order.payments, before, amount.amount_minor):
        part = Money(minor, amount.currency)
        refund = _refund(change.order, payment, part, reason, line, wanted)
        change = _owe(change, refund, f"{line.sku} is refunded")
    return change.with_line(replace(line, refund_minor=line.refund_minor + amount.amount_minor))


def _shares(payments: Sequence[Payment], before: int, amount: int) -> Iterator[tuple[Payment, int]]:
    """The next `amount` after the first `before` of what the payments paid."""
    if amount == 0:
        yield payments[0], 0
    for payment in payments:
        used = min(before, payment.applied_minor)
        taken = min(amount, payment.applied_minor - used)
        before, amount = before - used, amount - taken
        if taken:
            yield payment, taken
    assert amount == 0, "more is refunded than was paid"


def _refund(
    order: Order,
    payment: Payment,
    amount: Money,
    reason: str,
    line: Line | None = None,
    wanted: RefundWanted | None = None,
) -> Refund:
    return Refund(
        id=new_id(),
        order_id=order.id,
        line_id=line.id if line else None,
        merchant_id=order.merchant_id,
        provider=payment.via,
        provider_reference=payment.provider_reference,
        amount=amount,
        reason=reason,
        payment_id=payment.id,
        payment_amount=payment.amount,
        request_id=wanted.request_id if wanted else None,
        asked_by=wanted.asked_by if wanted else "",
    )


def _owe(change: Change, refund: Refund, what: str) -> Change:
    change = replace(change, refunds=(*change.refunds, refund))
    about = {"line_id": str(refund.line_id)} if refund.line_id else {}
    asked = {"asked_by": refund.asked_by} if refund.asked_by else {}
    return change.told(
        "refund_due",
        f"{what}: {refund.reason}",
        **about,
        refund_id=str(refund.id),
        payment_id=str(refund.payment_id),
        amount=refund.amount.amount_minor,
        currency=refund.amount.currency,
        reason=refund.reason,
        **asked,
    )


def settle_return(change: Change, refund: Refund) -> Change:
    """A payment that was not owed is back with the buyer."""
    if refund.amount.currency == change.order.total.currency:
        returned = change.order.returned_minor + refund.amount.amount_minor
        change = change.with_order(returned_minor=returned)
    change = change.told(
        "payment_returned",
        "a payment that was not owed is back with the buyer",
        refund_id=str(refund.id),
        payment_id=str(refund.payment_id),
        amount=refund.amount.amount_minor,
        currency=refund.amount.currency,
    )
    return change.reported(GivenBack(refund, None))


def refund(change: Change, wanted: RefundWanted) -> Change:
    """What somebody asked for is owed from now on; what was delivered stays with the buyer.

    Raises OrderNotRefundable, OutcomeUnknown, NothingToRefund, LineNotFound, RefundTooLarge,
    CurrencyMismatch.
    """
    order = change.order
    if order.payment is None:
        raise OrderNotRefundable("the order is not paid", status=order.status.value)
    change = change.told(
        "refund_requested",
        f"a refund is asked for: {wanted.reason}",
        request_id=str(wanted.request_id),
        reason=wanted.reason,
        asked_by=wanted.asked_by,
        lines=[str(line.line_id) for line in wanted.lines],
    )
    if order.status in (OrderStatus.PAID, OrderStatus.ON_HOLD):
        return _refund_unfulfilled(change, wanted)
    for line, amount in _amounts(order, wanted):
        current = next(it for it in change.order.lines if it.id == line.id)
        if amount.amount_minor > current.refundable.amount_minor:
            raise _too_large(current)
        change = owe_line(change, current, amount, wanted.reason, wanted)
    ended = order.status in (OrderStatus.COMPLETED, OrderStatus.PARTIALLY_COMPLETED)
    return change.moved(OrderStatus.REFUNDING) if ended else change


def _refund_unfulfilled(change: Change, wanted: RefundWanted) -> Change:
    """Before fulfilment only the whole order goes back: its hold is one."""
    if wanted.lines:
        raise OrderNotRefundable(
            f"the order is {change.order.status}: only the whole of it can be refunded now",
            status=change.order.status.value,
        )
    change = change.moved(OrderStatus.REFUNDING)
    for line in change.order.lines:
        failed = replace(line, status=LineStatus.FAILED)
        change = owe_line(change, failed, line.total, wanted.reason, wanted)
    return change


def _amounts(order: Order, wanted: RefundWanted) -> Sequence[tuple[Line, Money]]:
    """Each line and how much of it goes back. Raises as `refund` does."""
    chosen = [_amount(order, place, it) for place, it in enumerate(wanted.lines)]
    if not wanted.lines:
        chosen = [(line, line.refundable) for line in order.lines if _is_whole_part(line)]
    undecided = [line for line, _ in chosen if line.status in _UNDECIDED]
    if undecided:
        raise OutcomeUnknown(lines=[{"line_id": str(it.id), "sku": it.sku} for it in undecided])
    if not chosen or any(not amount.amount_minor for _, amount in chosen):
        raise NothingToRefund(order_id=str(order.id))
    return chosen


_UNDECIDED = frozenset({LineStatus.PENDING, LineStatus.UNKNOWN})
_GONE_BACK = frozenset({LineStatus.FAILED, LineStatus.REFUNDED})


def _is_whole_part(line: Line) -> bool:
    """Whether a refund of the whole order still has to do with this line."""
    return line.status in _UNDECIDED or (
        line.status not in _GONE_BACK and line.refundable.amount_minor > 0
    )


def _amount(order: Order, place: int, wanted: LineWanted) -> tuple[Line, Money]:
    line = next((it for it in order.lines if it.id == wanted.line_id), None)
    if line is None:
        pointer = f"/lines/{place}/line_id"
        fault = {"pointer": pointer, "code": LineNotFound.code, "detail": "not of this order"}
        raise LineNotFound(errors=[fault])
    if line.status in _GONE_BACK:
        return line, Money(0, line.total.currency)
    if wanted.amount is not None:
        return line, Money(0, line.total.currency) + wanted.amount
    if wanted.quantity is None:
        return line, line.refundable
    if wanted.quantity > line.quantity:
        raise _too_large(line)
    return line, Money(
        line.total.amount_minor * wanted.quantity // line.quantity, line.total.currency
    )


def _too_large(line: Line) -> RefundTooLarge:
    left = {"amount": line.refundable.amount_minor, "currency": line.refundable.currency}
    return RefundTooLarge(line_id=str(line.id), refundable=left)


def _told(payment: Payment) -> dict[str, object]:
    return {
        "payment_id": str(payment.id),
        "via": payment.via,
        "provider": payment.provider,
        "provider_reference": payment.provider_reference,
        "amount": payment.amount.amount_minor,
        "currency": payment.amount.currency,
    }
