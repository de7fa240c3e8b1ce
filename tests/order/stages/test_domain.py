"""Bundles that are all or nothing: what goes first, what waits, what is lost together."""

from typing import Any

from kit.ids import new_id
from kit.money import Money
from order.deliveries.domain import LineOutcome
from order.lines.domain import Line, LineStatus
from order.orders.domain import Change, News, Order, OrderStatus
from order.saga import domain as saga
from tests.order.factories import a_line, a_payment, an_assessment, an_order
from tests.order.saga.test_domain import NOW


def a_top_up(line_no: int, **given: Any) -> Line:
    return a_line(line_no=line_no, sku="PHONE-50", kind="top_up", pool_id=None, **given)


def bound(policy: str = "all_or_nothing", bundle_no: int = 1) -> dict[str, Any]:
    return {"bundle_sku": "PACK", "bundle_no": bundle_no, "bundle_policy": policy}


def begun(*lines: Line) -> Change:
    change = Change(an_order(lines=lines), "test")
    return saga.assess(saga.pay(change, a_payment(change.order), NOW), an_assessment())


def settled(change: Change, line_no: int, status: LineStatus, reason: str = "refused") -> Change:
    line = change.order.lines[line_no - 1]
    fact = LineOutcome(change.order.id, line.id, new_id(), status, reason=reason, round=line.round)
    return saga.settle_line(change, fact)


def asked(change: Change) -> list[tuple[News, list[int]]]:
    """Which lines each request to fulfilment names."""
    requests = (News.FULFILLMENT_REQUESTED, News.PART_REQUESTED)
    return [
        (news, [line.line_no for line in order.lines])
        for news, order in change.news
        if news in requests
    ]


def statuses(order: Order) -> list[str]:
    return [line.status.value for line in order.lines]


def test_independent_and_partial_lines_all_go_at_once() -> None:
    assert asked(begun(a_line(line_no=1), a_top_up(2))) == [(News.FULFILLMENT_REQUESTED, [1, 2])]
    partial = begun(a_line(line_no=1, **bound("partial")), a_top_up(2, **bound("partial")))
    assert asked(partial) == [(News.FULFILLMENT_REQUESTED, [1, 2])]


def test_a_bundle_of_units_only_goes_at_once() -> None:
    change = begun(a_line(line_no=1, **bound()), a_line(line_no=2, **bound()))

    assert asked(change) == [(News.FULFILLMENT_REQUESTED, [1, 2])]


def test_the_units_of_a_mixed_bundle_wait_until_its_top_up_is_delivered() -> None:
    change = begun(a_line(line_no=1, **bound()), a_top_up(2, **bound()))
    assert asked(change) == [(News.FULFILLMENT_REQUESTED, [2])]

    change = settled(change, 2, LineStatus.UNKNOWN)
    assert len(asked(change)) == 1
    change = settled(change, 2, LineStatus.DELIVERED)

    assert asked(change)[1:] == [(News.FULFILLMENT_REQUESTED, [1])]
    change = settled(change, 1, LineStatus.DELIVERED)
    assert change.order.status is OrderStatus.COMPLETED


def test_a_top_up_that_fails_takes_its_bundle_with_it_and_gives_the_hold_back() -> None:
    change = begun(a_line(line_no=1, **bound()), a_top_up(2, **bound()))

    change = settled(change, 2, LineStatus.FAILED)

    assert statuses(change.order) == ["failed", "failed"]
    assert [refund.amount for refund in change.refunds] == [Money(1990, "CNY")] * 2
    assert [step.kind for step in change.steps] == ["release"]
    assert change.steps[0].args["reservation_id"] == str(change.order.reservation_id)
    assert len(asked(change)) == 1
    assert change.order.status is OrderStatus.REFUNDING


def test_units_of_others_are_handed_out_of_the_same_hold_without_the_lost_ones() -> None:
    change = begun(a_line(line_no=1, **bound()), a_top_up(2, **bound()), a_line(line_no=3))
    assert asked(change) == [(News.FULFILLMENT_REQUESTED, [2])]

    change = settled(change, 2, LineStatus.FAILED)

    assert asked(change)[1:] == [(News.PART_REQUESTED, [3])]
    assert statuses(change.order) == ["failed", "failed", "pending"]
    assert change.steps == ()
    change = settled(change, 3, LineStatus.DELIVERED)
    assert change.order.status is OrderStatus.REFUNDING


def test_two_bundles_wait_for_each_other_because_one_hold_is_handed_out_once() -> None:
    change = begun(
        a_line(line_no=1, **bound()),
        a_top_up(2, **bound()),
        a_line(line_no=3, **bound(bundle_no=2)),
        a_top_up(4, **bound(bundle_no=2)),
    )
    change = settled(change, 2, LineStatus.DELIVERED)
    assert len(asked(change)) == 1

    change = settled(change, 4, LineStatus.FAILED)

    assert asked(change)[1:] == [(News.PART_REQUESTED, [1])]
    assert statuses(change.order) == ["pending", "delivered", "failed", "failed"]


def test_a_top_up_that_was_delivered_stays_delivered_when_another_of_its_bundle_fails() -> None:
    change = begun(a_line(line_no=1, **bound()), a_top_up(2, **bound()), a_top_up(3, **bound()))

    change = settled(settled(change, 2, LineStatus.FAILED), 3, LineStatus.DELIVERED)

    assert statuses(change.order) == ["failed", "failed", "delivered"]
    assert [step.kind for step in change.steps] == ["release"]
