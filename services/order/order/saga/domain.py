"""The decisions of an order's life. Pure: each takes a change so far and returns it with more.

place -> (assess | pay, in any order) -> hold or fulfil -> settle each line -> complete or refund.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from kit.money import Money
from order.challenges import domain as challenges
from order.deliveries.domain import LineOutcome
from order.lines.domain import SETTLED, Line, LineStatus, LotCost
from order.orders.domain import (
    ENDED_UNPAID,
    UNPAID,
    Assessment,
    Challenge,
    Change,
    GivenBack,
    News,
    Order,
    OrderNotCancellable,
    OrderStatus,
    Payment,
    Verdict,
)
from order.payments import domain as money
from order.refunds.domain import Refund, RefundAnswer
from order.risk_defaults import domain as risk_defaults
from order.shortages import domain as shortages
from order.stages import domain as stages
from order.steps.domain import plan


def pay(change: Change, payment: Payment, now: datetime) -> Change:
    """All that was owed arrived: the order goes where its assessment lets it, or waits for one.

    What is too much of the payment goes back.
    """
    payment = money.fitted(change.order, payment)
    parts = (*change.order.parts, payment) if change.order.parts or payment.surplus_minor else ()
    change = change.with_order(payment=payment, paid_at=now, parts=parts)
    change = money.told_paid(change, payment).announced(News.PAID)
    if payment.surplus_minor:
        surplus = Money(payment.surplus_minor, payment.amount.currency)
        change = money.return_surplus(change, payment, surplus, "more than the order's total")
    return proceed(change)


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
    if change.order.status in ENDED_UNPAID:
        # Should its price come late, this is what counts then.
        change = _judged(change, assessment)
    if change.order.status not in (UNPAID, OrderStatus.PAID, OrderStatus.ON_HOLD):
        change = change.told("assessed_too_late", f"the order is {change.order.status} already")
        is_default = change.order.is_default_verdict
        return risk_defaults.note_late(change, assessment) if is_default else change
    if change.order.status is OrderStatus.ON_HOLD and assessment.verdict is Verdict.ALLOW:
        who = assessment.reviewer or "risk"
        change = change.told("released", f"released by {who}", note=assessment.note)
    change = _judged(change, assessment).with_order(reason=_reason(assessment))
    if assessment.verdict is Verdict.CHALLENGE:
        change = challenges.begin(change)
    if change.order.status is UNPAID:
        declined = assessment.verdict is Verdict.DECLINE
        return cancel(change, assessment.reason) if declined else _hurried(change, assessment)
    return proceed(change)


def _judged(change: Change, assessment: Assessment) -> Change:
    is_challenge = assessment.verdict is Verdict.CHALLENGE
    return change.with_order(
        verdict=assessment.verdict,
        assessment_id=assessment.id,
        is_default_verdict=False,
        challenge=Challenge(assessment.challenge_id) if is_challenge else change.order.challenge,
    )


def _hurried(change: Change, assessment: Assessment) -> Change:
    """An unpaid order keeps its stock no longer than risk lets it."""
    order = change.order
    until = order.placed_at + timedelta(seconds=assessment.hold_seconds)
    if assessment.hold_seconds == 0 or order.pay_until <= until:
        return change
    return change.with_order(pay_until=until).told(
        "hurried", "risk shortens the time to pay", pay_until=until.isoformat()
    )


def _reason(assessment: Assessment) -> str:
    return "" if assessment.verdict is Verdict.ALLOW else assessment.reason


def proceed(change: Change) -> Change:
    """An order whose price is there moves as far as its verdict allows."""
    order = change.order
    match order.verdict:
        case None:
            is_new = order.status is UNPAID or order.status in ENDED_UNPAID
            return change.moved(OrderStatus.PAID) if is_new else change
        case Verdict.ALLOW:
            return _request_fulfillment(change)
        case Verdict.HOLD:
            return _hold(change, "a review")
        case Verdict.CHALLENGE:
            change = _hold(change, "the buyer's code")
            # It had ended, and so had its challenge: with the price that came late it begins anew.
            return challenges.begin(change) if order.status in ENDED_UNPAID else change
        case Verdict.DECLINE:
            return _refund_whole(change)
        case _:
            assert_never(order.verdict)


def _request_fulfillment(change: Change) -> Change:
    change = change.moved(OrderStatus.FULFILLING)
    first = stages.first_lines(change.order)
    waiting = len(change.order.lines) - len(first)
    change = change.told(
        "fulfillment_requested",
        f"{len(first)} line(s) go to fulfilment"
        + (f", {waiting} wait for them" if waiting else ""),
        reservation_id=str(change.order.reservation_id),
    )
    asked = replace(change.order, lines=first) if waiting else change.order
    return change.announced(News.FULFILLMENT_REQUESTED, asked)


def _go_on(change: Change, pivot_id: UUID) -> Change:
    """A line that others of its bundle wait for may have come to its end."""
    order = change.order
    pivot = next((line for line in stages.pivots_of(order) if line.id == pivot_id), None)
    if pivot is None or pivot.status not in SETTLED:
        return change
    if pivot.status is LineStatus.FAILED:
        for lost in stages.lost_with(order, pivot):
            change = _fail(change, lost, "bundle_incomplete")
    return _request_rest(change) if stages.is_decided(change.order) else change


def _request_rest(change: Change) -> Change:
    """The units that waited: those whose bundle was delivered go out, the others' hold ends."""
    order, rest = change.order, stages.lines_held_back(change.order)
    if rest:
        is_all = all(line in rest for line in order.lines if line.kind == "pool")
        news = News.FULFILLMENT_REQUESTED if is_all else News.PART_REQUESTED
        change = change.told("fulfillment_requested", f"{len(rest)} line(s) that waited go too")
        return change.announced(news, replace(order, lines=rest))
    if order.reservation_id is None:
        return change
    args = {"reservation_id": str(order.reservation_id), "reason": "bundle_incomplete"}
    return change.with_steps(plan(order.merchant_id, order.id, "release", args=args))


def _hold(change: Change, awaited: str) -> Change:
    if change.order.status is OrderStatus.ON_HOLD:
        return change
    change = change.moved(OrderStatus.ON_HOLD).told(
        "held", f"paid, and waits for {awaited}", reason=change.order.reason
    )
    return change.announced(News.HELD)


def _refund_whole(change: Change) -> Change:
    """Nothing was delivered and nothing will be: every line's money goes back."""
    change = change.moved(OrderStatus.REFUNDING)
    for line in change.order.lines:
        change = _fail(change, line, "declined")
    return change


def _fail(change: Change, line: Line, reason: str) -> Change:
    """A line that was definitely not delivered: its whole price goes back."""
    return money.owe_line(change, replace(line, status=LineStatus.FAILED), line.total, reason)


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
    change = change.told("cancelled", f"cancelled: {reason}", reason=reason)
    return money.end_unpaid(change.announced(News.CANCELLED), "the order was cancelled")


def expire(change: Change) -> Change:
    """Not paid in time."""
    change = change.with_order(reason="not paid in time").moved(OrderStatus.EXPIRED)
    until = change.order.pay_until.isoformat()
    change = change.told("expired", "not paid in time", pay_until=until)
    return money.end_unpaid(change.announced(News.EXPIRED), "the order has expired")


def settle_line(change: Change, outcome: LineOutcome) -> Change:
    """Fulfilment's word about one line; a repeat changes nothing, a contradiction is told."""
    line = next((line for line in change.order.lines if line.id == outcome.line_id), None)
    if line is None:
        return change.told("line_unheard_of", "a delivery names a line this order does not have")
    if outcome.round < line.round and outcome.status is not LineStatus.DELIVERED:
        return change  # an earlier round's word again
    if line.status is outcome.status and line.round == outcome.round:
        return change
    if (
        outcome.round != line.round
        or line.status in SETTLED
        or change.order.status is not OrderStatus.FULFILLING
    ):
        return change.told(
            "line_contradiction",
            f"{line.sku} is {line.status}, yet fulfilment says {outcome.status}",
            line_id=str(line.id),
            delivery_id=str(outcome.delivery_id),
        )
    return _close(_go_on(_settle(change, line, outcome), line.id))


def give_up(change: Change, line: Line, reason: str) -> Change:
    """The line is definitely not delivered: its money goes back."""
    return _close(_go_on(_fail(change, line, reason), line.id))


def ask_again(change: Change, line: Line, reservation_id: str) -> Change:
    """Fulfilment gets the request for a line again: known there, it changes nothing."""
    return shortages.request(change, line, reservation_id)


def reconsider(change: Change) -> Change:
    """An order that does not wait for anything moves on as its lines and timers say."""
    if change.order.status is UNPAID:
        return expire(change)
    return _close(change)


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
                costs=[_cost(cost) for cost in outcome.costs],
                units=[unit.unit_id for unit in outcome.units[:_UNITS_TOLD_MAX]],
                masks=[unit.mask for unit in outcome.units[:_UNITS_TOLD_MAX]],
                **outcome.bought,
            )
        case LineStatus.FAILED:
            change = change.told(
                "line_failed",
                f"{line.sku} failed: {outcome.reason}{outcome.tried}",
                **ids,
                reason=outcome.reason,
                refusals=[{"supplier": name, "code": code} for name, code in outcome.refusals],
            )
            short = shortages.begin(change, line, outcome.reason)
            return short or _fail(change, line, outcome.reason)
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


_UNITS_TOLD_MAX = 20


def _cost(cost: LotCost) -> dict[str, object]:
    """What so many units cost, each; of a lot, or bought from a supplier."""
    source = {"lot_id": cost.lot_id} if cost.lot_id else {"supplier": cost.supplier}
    return {
        **source,
        "quantity": cost.quantity,
        "unit_cost": cost.unit_cost.amount_minor,
        "currency": cost.unit_cost.currency,
    }


def settle_refund(change: Change, refund: Refund) -> Change:
    """Money is back with the buyer: a line's, or a payment's that was not owed."""
    if refund.line_id is None:
        return money.settle_return(change, refund)
    line = next(line for line in change.order.lines if line.id == refund.line_id)
    if line.status is LineStatus.REFUNDED:
        return change
    line = replace(line, refunded_minor=line.refunded_minor + refund.amount.amount_minor)
    if line.status is LineStatus.FAILED and not line.has_open_refund:
        line = replace(line, status=LineStatus.REFUNDED)
    change = change.with_line(line).told(
        "line_refunded",
        f"{line.sku} refunded",
        line_id=str(line.id),
        refund_id=str(refund.id),
        amount=refund.amount.amount_minor,
        currency=refund.amount.currency,
    )
    if line.status is LineStatus.DELIVERED:
        change = change.reported(GivenBack(refund, line))
    if change.order.reason == "":
        change = change.with_order(reason=refund.reason)
    return _close(change)


def refund_refused(change: Change, answer: RefundAnswer) -> Change:
    """The provider will not give it back: it waits for somebody."""
    return change.told(
        "refund_refused",
        f"{answer.refund.provider} refuses a refund: somebody must act",
        refund_id=str(answer.refund.id),
        amount=answer.refund.amount.amount_minor,
        currency=answer.refund.amount.currency,
        why=answer.why,
    )


def _close(change: Change) -> Change:
    """The order's end, once each line has one and no money is on its way."""
    lines = change.order.lines
    if not {line.status for line in lines} <= SETTLED:
        return change
    if any(line.status is LineStatus.FAILED or line.has_open_refund for line in lines):
        refunding = change.order.status is OrderStatus.REFUNDING
        return change if refunding else change.moved(OrderStatus.REFUNDING)
    back = Money(sum(line.refunded_minor for line in lines), change.order.total.currency)
    figures = {"refunded": back.amount_minor, "currency": back.currency}
    if _is_all_back(lines):
        change = change.moved(OrderStatus.REFUNDED)
        change = change.told("refunded", "all money went back", **figures)
    elif back.amount_minor or LineStatus.REFUNDED in {line.status for line in lines}:
        change = change.moved(OrderStatus.PARTIALLY_COMPLETED)
        change = change.told("partially_completed", "the rest was refunded", **figures)
    else:
        change = change.moved(OrderStatus.COMPLETED).told("completed", "every line was delivered")
    return _announce_end(change)


def _is_all_back(lines: tuple[Line, ...]) -> bool:
    """Nothing was delivered, or the price of all that was; what cost nothing stays as a gift."""
    kept = [line for line in lines if line.status is not LineStatus.REFUNDED]
    sold = [line for line in kept if line.total.amount_minor]
    return not kept or (bool(sold) and all(line.is_wholly_refunded for line in sold))


def _announce_end(change: Change) -> Change:
    """Once: what became of the goods. Money that goes back afterwards is told by itself."""
    if change.order.is_closed:
        return change
    change = change.with_order(is_closed=True)
    states = {line.status for line in change.order.lines}
    if states == {LineStatus.DELIVERED}:
        return change.announced(News.COMPLETED)
    delivered = LineStatus.DELIVERED in states
    return change.announced(News.PARTIALLY_COMPLETED if delivered else News.REFUNDED)


def is_payable(order: Order) -> bool:
    """Whether money may still come for it; its ending decides, not the clock."""
    return order.status is UNPAID
