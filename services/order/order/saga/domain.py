"""The decisions of an order's life. Pure: each takes a change so far and returns it with more.

place -> (assess | pay, in any order) -> hold or fulfil -> settle each line -> complete or refund.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from kit.ids import new_id
from order.orders.domain import (
    SETTLED,
    UNPAID,
    Assessment,
    Change,
    Line,
    LineOutcome,
    LineStatus,
    News,
    Order,
    OrderNotCancellable,
    OrderStatus,
    Payment,
    Verdict,
)
from order.refunds.domain import Refund


def pay(change: Change, payment: Payment, now: datetime) -> Change:
    """The whole amount arrived: the order goes where its assessment lets it, or waits for one."""
    change = change.with_order(payment=payment, paid_at=now)
    change = change.told(
        "paid",
        f"paid by {payment.provider}",
        payment_id=str(payment.id),
        via=payment.via,
        provider=payment.provider,
        provider_reference=payment.provider_reference,
        amount=payment.amount.amount_minor,
        currency=payment.amount.currency,
    )
    return _proceed(change.announced(News.PAID))


def assess(change: Change, assessment: Assessment) -> Change:
    """Risk, or a person reviewing, has decided; a decision that comes too late is only told.

    The same decision again changes nothing.
    """
    known = (change.order.assessment_id, change.order.verdict)
    if known == (assessment.id, assessment.verdict):
        return change
    change = change.told(
        "assessed",
        f"risk says {assessment.verdict}",
        assessment_id=assessment.id,
        verdict=assessment.verdict.value,
        rules=[dict(rule) for rule in assessment.rules],
        reviewer=assessment.reviewer,
        note=assessment.note,
    )
    if change.order.status not in (UNPAID, OrderStatus.PAID, OrderStatus.ON_HOLD):
        return change.told("assessed_too_late", f"the order is {change.order.status} already")
    if change.order.status is OrderStatus.ON_HOLD and assessment.verdict is Verdict.ALLOW:
        who = assessment.reviewer or "risk"
        change = change.told("released", f"released by {who}", note=assessment.note)
    change = change.with_order(
        verdict=assessment.verdict, assessment_id=assessment.id, reason=_reason(assessment)
    )
    if change.order.status is UNPAID:
        declined = assessment.verdict is Verdict.DECLINE
        return cancel(change, assessment.reason) if declined else change
    return _proceed(change)


def _reason(assessment: Assessment) -> str:
    return "" if assessment.verdict is Verdict.ALLOW else assessment.reason


def _proceed(change: Change) -> Change:
    """A paid order moves as far as its verdict allows."""
    order = change.order
    match order.verdict:
        case None:
            return change.moved(OrderStatus.PAID) if order.status is UNPAID else change
        case Verdict.ALLOW:
            return _request_fulfillment(change)
        case Verdict.HOLD | Verdict.CHALLENGE:
            return _hold(change)
        case Verdict.DECLINE:
            return _refund_whole(change)
        case _:
            assert_never(order.verdict)


def _request_fulfillment(change: Change) -> Change:
    change = change.moved(OrderStatus.FULFILLING).told(
        "fulfillment_requested",
        f"{len(change.order.lines)} line(s) go to fulfilment",
        reservation_id=str(change.order.reservation_id or ""),
    )
    return change.announced(News.FULFILLMENT_REQUESTED)


def _hold(change: Change) -> Change:
    if change.order.status is OrderStatus.ON_HOLD:
        return change
    change = change.moved(OrderStatus.ON_HOLD).told(
        "held", "paid, and waits for a review", reason=change.order.reason
    )
    return change.announced(News.HELD)


def _refund_whole(change: Change) -> Change:
    """Nothing was delivered and nothing will be: every line's money goes back."""
    change = change.moved(OrderStatus.REFUNDING)
    for line in change.order.lines:
        change = _fail(change, line, "declined")
    return change


def _fail(change: Change, line: Line, reason: str) -> Change:
    refund = _refund_of(change.order, line, reason)
    change = change.with_line(replace(line, status=LineStatus.FAILED))
    change = replace(change, refunds=(*change.refunds, refund))
    return change.told(
        "refund_due",
        f"{line.sku} is refunded: {reason}",
        line_id=str(line.id),
        refund_id=str(refund.id),
        amount=refund.amount.amount_minor,
        currency=refund.amount.currency,
        reason=reason,
    )


def _refund_of(order: Order, line: Line, reason: str) -> Refund:
    assert order.payment is not None, f"order {order.id} refunds without having been paid"
    return Refund(
        new_id(),
        order.id,
        line.id,
        order.merchant_id,
        order.payment.via,
        order.payment.provider_reference,
        line.total,
        reason,
    )


def cancel(change: Change, reason: str) -> Change:
    """Raises OrderNotCancellable once money has come; a cancelled order stays cancelled."""
    order = change.order
    if order.status is OrderStatus.CANCELLED:
        return change
    if order.status is not UNPAID:
        raise OrderNotCancellable(
            f"the order is {order.status}", order_id=str(order.id), status=order.status.value
        )
    change = change.with_order(reason=reason).moved(OrderStatus.CANCELLED)
    return change.told("cancelled", f"cancelled: {reason}", reason=reason).announced(News.CANCELLED)


def expire(change: Change) -> Change:
    """Not paid in time."""
    change = change.with_order(reason="not paid in time").moved(OrderStatus.EXPIRED)
    until = change.order.pay_until.isoformat()
    return change.told("expired", "not paid in time", pay_until=until).announced(News.EXPIRED)


def settle_line(change: Change, outcome: LineOutcome) -> Change:
    """Fulfilment's word about one line; a repeat changes nothing, a contradiction is told."""
    line = next((line for line in change.order.lines if line.id == outcome.line_id), None)
    if line is None:
        return change.told("line_unheard_of", "a delivery names a line this order does not have")
    if line.status is outcome.status:
        return change
    if line.status in SETTLED or change.order.status is not OrderStatus.FULFILLING:
        return change.told(
            "line_contradiction",
            f"{line.sku} is {line.status}, yet fulfilment says {outcome.status}",
            line_id=str(line.id),
            delivery_id=str(outcome.delivery_id),
        )
    return _close(_settle(change, line, outcome))


def _settle(change: Change, line: Line, outcome: LineOutcome) -> Change:
    change = replace(change, outcomes=(*change.outcomes, outcome))
    ids = {"line_id": str(line.id), "delivery_id": str(outcome.delivery_id)}
    match outcome.status:
        case LineStatus.DELIVERED:
            change = change.with_line(
                replace(line, status=LineStatus.DELIVERED, costs=outcome.costs)
            )
            return change.told(
                "line_delivered",
                f"{line.quantity} x {line.sku} delivered",
                **ids,
                lots={cost.lot_id: cost.quantity for cost in outcome.costs if cost.lot_id},
                masks=[unit.mask for unit in outcome.units[:_MASKS_TOLD_MAX]],
                **_bought(outcome),
            )
        case LineStatus.FAILED:
            change = change.told(
                "line_failed",
                f"{line.sku} failed: {outcome.reason}{_tried(outcome)}",
                **ids,
                reason=outcome.reason,
                refusals=[{"supplier": name, "code": code} for name, code in outcome.refusals],
            )
            return _fail(change, line, outcome.reason)
        case LineStatus.UNKNOWN:
            change = change.with_line(replace(line, status=LineStatus.UNKNOWN))
            return change.told(
                "line_unknown",
                f"{line.sku}: outcome unknown, being asked",
                **ids,
                reason=outcome.reason,
                supplier=outcome.supplier,
            )
        case _:
            raise AssertionError(f"fulfilment cannot make a line {outcome.status}")


_MASKS_TOLD_MAX = 20


def _bought(outcome: LineOutcome) -> dict[str, object]:
    """Which supplier did it, by which purchase, with which receipt; nothing for stock."""
    bought = [cost for cost in outcome.costs if cost.supplier]
    if not bought and not outcome.receipt:
        return {}
    return {
        "suppliers": [cost.supplier for cost in bought],
        "purchases": [cost.purchase_id for cost in bought],
        "receipt": outcome.receipt,
    }


def _tried(outcome: LineOutcome) -> str:
    said = ", ".join(f"{supplier} said {code}" for supplier, code in outcome.refusals)
    return f" ({said})" if said else ""


def settle_refund(change: Change, refund: Refund) -> Change:
    """The line's money is back with the buyer."""
    line = next(line for line in change.order.lines if line.id == refund.line_id)
    if line.status is LineStatus.REFUNDED:
        return change
    change = change.with_line(replace(line, status=LineStatus.REFUNDED))
    change = change.told(
        "line_refunded",
        f"{line.sku} refunded",
        line_id=str(line.id),
        refund_id=str(refund.id),
        amount=refund.amount.amount_minor,
        currency=refund.amount.currency,
    )
    if change.order.reason == "":
        change = change.with_order(reason=refund.reason)
    return _close(change)


def _close(change: Change) -> Change:
    """The order's end, once each line has one."""
    states = {line.status for line in change.order.lines}
    if not states <= SETTLED:
        return change
    if LineStatus.FAILED in states:
        refunding = change.order.status is OrderStatus.REFUNDING
        return change if refunding else change.moved(OrderStatus.REFUNDING)
    if states == {LineStatus.DELIVERED}:
        change = change.moved(OrderStatus.COMPLETED).told("completed", "every line was delivered")
        return change.announced(News.COMPLETED)
    back = change.order.refunded
    money = {"refunded": back.amount_minor, "currency": back.currency}
    if LineStatus.DELIVERED in states:
        change = change.moved(OrderStatus.PARTIALLY_COMPLETED)
        change = change.told("partially_completed", "the rest was refunded", **money)
        return change.announced(News.PARTIALLY_COMPLETED)
    change = change.moved(OrderStatus.REFUNDED).told("refunded", "all money went back", **money)
    return change.announced(News.REFUNDED)


def is_payable(order: Order) -> bool:
    """Whether money may still come for it; its ending decides, not the clock."""
    return order.status is UNPAID
