"""Each decision of an order's life: the yes, the no and the edge. No database needed."""

from datetime import UTC, datetime, timedelta

import pytest

from kit.ids import new_id
from kit.money import Money
from order.deliveries.domain import LineOutcome
from order.lines.domain import LineStatus, LotCost
from order.orders.domain import (
    Change,
    IllegalTransition,
    News,
    Order,
    OrderNotCancellable,
    OrderStatus,
    Verdict,
)
from order.refunds.domain import Refund
from order.saga import domain as saga
from tests.order.factories import a_line, a_payment, an_assessment, an_order

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def begun(order: Order | None = None) -> Change:
    return Change(order or an_order(), "test")


def paid(change: Change) -> Change:
    return saga.pay(change, a_payment(change.order), NOW)


def outcome(change: Change, line_no: int, status: LineStatus, reason: str = "") -> LineOutcome:
    line = change.order.lines[line_no - 1]
    costs = (LotCost("lot-1", line.quantity, Money(1200, "CNY")),)
    return LineOutcome(
        change.order.id,
        line.id,
        new_id(),
        status,
        costs=costs if status is LineStatus.DELIVERED else (),
        reason=reason,
    )


def two_lines() -> Change:
    order = an_order(lines=[a_line(line_no=1), a_line(line_no=2, sku="GAME-200")])
    return saga.assess(paid(begun(order)), an_assessment())


def news(change: Change) -> list[News]:
    return [told for told, _ in change.news]


def refund_all(change: Change) -> Change:
    for refund in change.refunds:
        change = saga.settle_refund(change, refund)
    return change


def test_a_paid_order_waits_until_it_is_assessed() -> None:
    change = paid(begun())

    assert change.order.status is OrderStatus.PAID
    assert news(change) == [News.PAID]


@pytest.mark.parametrize("paid_first", [True, False])
def test_paid_and_allowed_in_any_order_goes_to_fulfilment(*, paid_first: bool) -> None:
    change = begun()
    if paid_first:
        change = saga.assess(paid(change), an_assessment())
    else:
        change = paid(saga.assess(change, an_assessment()))

    assert change.order.status is OrderStatus.FULFILLING
    assert news(change) == [News.PAID, News.FULFILLMENT_REQUESTED]


@pytest.mark.parametrize("paid_first", [True, False])
def test_a_held_order_is_held_once_it_is_paid(*, paid_first: bool) -> None:
    rule = {"rule_id": "ip", "version": 1, "name": "ip", "explanation": "one IP, 6 orders"}
    held = an_assessment(Verdict.HOLD, rules=(rule,))
    change = begun()
    change = saga.assess(paid(change), held) if paid_first else paid(saga.assess(change, held))

    assert change.order.status is OrderStatus.ON_HOLD
    assert news(change) == [News.PAID, News.HELD]
    assert change.news[1][1].reason == "one IP, 6 orders"


def test_an_unpaid_held_order_may_still_be_paid() -> None:
    change = saga.assess(begun(), an_assessment(Verdict.HOLD))

    assert change.order.status is OrderStatus.PENDING_PAYMENT
    assert news(change) == []


def test_a_review_that_approves_releases_the_order() -> None:
    change = saga.assess(paid(begun()), an_assessment(Verdict.HOLD))
    change = saga.assess(change, an_assessment(reviewer="ann", note="known buyer"))

    assert change.order.status is OrderStatus.FULFILLING
    assert change.order.reason == ""
    assert news(change) == [News.PAID, News.HELD, News.FULFILLMENT_REQUESTED]


def test_a_hold_that_is_repeated_is_announced_once() -> None:
    hold = an_assessment(Verdict.HOLD)
    change = saga.assess(saga.assess(paid(begun()), hold), hold)

    assert news(change) == [News.PAID, News.HELD]
    assert [entry.kind for entry in change.entries].count("assessed") == 1


@pytest.mark.parametrize("held_first", [True, False])
def test_a_declined_paid_order_is_refunded_whole(*, held_first: bool) -> None:
    change = paid(begun(an_order(lines=[a_line(line_no=1), a_line(line_no=2)])))
    if held_first:
        change = saga.assess(change, an_assessment(Verdict.HOLD))
    change = saga.assess(change, an_assessment(Verdict.DECLINE, reviewer="ann", note="stolen card"))

    assert change.order.status is OrderStatus.REFUNDING
    assert [refund.amount for refund in change.refunds] == [Money(1990, "CNY")] * 2

    change = refund_all(change)

    assert change.order.status is OrderStatus.REFUNDED
    assert change.order.refunded == change.order.total
    assert change.news[-1][0] is News.REFUNDED
    assert change.news[-1][1].reason == "stolen card"


def test_a_declined_unpaid_order_is_cancelled() -> None:
    change = saga.assess(begun(), an_assessment(Verdict.DECLINE))

    assert change.order.status is OrderStatus.CANCELLED
    assert news(change) == [News.CANCELLED]


def test_a_decision_that_comes_too_late_changes_nothing() -> None:
    change = saga.assess(two_lines(), an_assessment(Verdict.DECLINE))

    assert change.order.status is OrderStatus.FULFILLING
    assert change.order.verdict is Verdict.ALLOW
    assert change.entries[-1].kind == "assessed_too_late"


def test_an_unpaid_order_is_cancelled_once() -> None:
    change = saga.cancel(begun(), "changed mind")
    again = saga.cancel(Change(change.order, "test"), "again")

    assert change.order.status is OrderStatus.CANCELLED
    assert news(change) == [News.CANCELLED]
    assert again.is_empty


def test_a_paid_order_cannot_be_cancelled() -> None:
    with pytest.raises(OrderNotCancellable):
        saga.cancel(paid(begun()), "changed mind")


def test_an_expired_order_cannot_be_cancelled_nor_a_paid_one_expire() -> None:
    expired = saga.expire(begun())

    assert news(expired) == [News.EXPIRED]
    with pytest.raises(OrderNotCancellable):
        saga.cancel(expired, "changed mind")
    with pytest.raises(IllegalTransition):
        saga.expire(paid(begun()))


def test_the_order_completes_when_every_line_is_delivered() -> None:
    change = two_lines()
    change = saga.settle_line(change, outcome(change, 1, LineStatus.DELIVERED))
    assert change.order.status is OrderStatus.FULFILLING
    change = saga.settle_line(change, outcome(change, 2, LineStatus.DELIVERED))

    assert change.order.status is OrderStatus.COMPLETED
    assert change.news[-1][0] is News.COMPLETED
    assert all(line.costs for line in change.news[-1][1].lines)


@pytest.mark.parametrize("failed_first", [True, False])
def test_a_failed_line_is_refunded_and_the_rest_delivered(*, failed_first: bool) -> None:
    change = two_lines()
    facts = [
        outcome(change, 1, LineStatus.DELIVERED),
        outcome(change, 2, LineStatus.FAILED, "broken"),
    ]
    for fact in reversed(facts) if failed_first else facts:
        change = saga.settle_line(change, fact)

    assert change.order.status is OrderStatus.REFUNDING
    assert len(change.refunds) == 1

    change = refund_all(change)

    assert change.order.status is OrderStatus.PARTIALLY_COMPLETED
    assert change.order.refunded == Money(1990, "CNY")
    assert change.news[-1][0] is News.PARTIALLY_COMPLETED


def test_a_refund_does_not_wait_for_a_line_whose_outcome_is_unknown() -> None:
    change = two_lines()
    change = saga.settle_line(change, outcome(change, 1, LineStatus.UNKNOWN))
    change = saga.settle_line(change, outcome(change, 2, LineStatus.FAILED, "broken"))
    change = refund_all(change)
    assert change.order.status is OrderStatus.FULFILLING

    change = saga.settle_line(change, outcome(change, 1, LineStatus.DELIVERED))

    assert change.order.status is OrderStatus.PARTIALLY_COMPLETED


def test_an_order_whose_lines_all_fail_is_refunded() -> None:
    change = two_lines()
    for line_no in (1, 2):
        change = saga.settle_line(change, outcome(change, line_no, LineStatus.FAILED, "broken"))
    change = refund_all(change)

    assert change.order.status is OrderStatus.REFUNDED
    assert change.order.refunded == change.order.total


def test_an_unknown_line_is_not_refunded() -> None:
    change = two_lines()
    change = saga.settle_line(change, outcome(change, 1, LineStatus.UNKNOWN))

    assert change.refunds == ()
    assert change.order.status is OrderStatus.FULFILLING


def test_the_same_outcome_again_changes_nothing() -> None:
    change = two_lines()
    fact = outcome(change, 1, LineStatus.DELIVERED)
    change = saga.settle_line(change, fact)
    again = saga.settle_line(Change(change.order, "test"), fact)

    assert again.is_empty


@pytest.mark.parametrize(
    ("first", "then"),
    [(LineStatus.DELIVERED, LineStatus.FAILED), (LineStatus.FAILED, LineStatus.DELIVERED)],
)
def test_a_contradiction_is_told_and_changes_nothing(first: LineStatus, then: LineStatus) -> None:
    change = two_lines()
    change = saga.settle_line(change, outcome(change, 1, first, "broken"))
    before = change.order
    change = saga.settle_line(change, outcome(change, 1, then, "broken"))

    assert change.order == before
    assert change.entries[-1].kind == "line_contradiction"


def test_a_refund_is_settled_once() -> None:
    change = two_lines()
    change = saga.settle_line(change, outcome(change, 1, LineStatus.FAILED, "broken"))
    refund: Refund = change.refunds[0]
    change = saga.settle_refund(change, refund)

    assert saga.settle_refund(Change(change.order, "test"), refund).is_empty


def test_customers_do_not_show_their_contact_when_printed() -> None:
    assert "example.com" not in repr(an_order())


@pytest.mark.parametrize(("hold_seconds", "is_shortened"), [(0, False), (60, True), (10**9, False)])
def test_an_unpaid_order_holds_its_stock_no_longer_than_risk_lets_it(
    hold_seconds: int, *, is_shortened: bool
) -> None:
    change = begun()
    until = change.order.pay_until

    assessed = saga.assess(change, an_assessment(hold_seconds=hold_seconds))

    shortened = change.order.placed_at + timedelta(seconds=hold_seconds)
    assert assessed.order.pay_until == (shortened if is_shortened else until)
    assert assessed.order.status is OrderStatus.PENDING_PAYMENT
    again = saga.assess(assessed, an_assessment(hold_seconds=hold_seconds))
    assert again.order.pay_until == assessed.order.pay_until


def test_a_paid_order_is_not_hurried() -> None:
    change = paid(begun())

    assessed = saga.assess(change, an_assessment(hold_seconds=1))

    assert assessed.order.pay_until == change.order.pay_until
