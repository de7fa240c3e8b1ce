"""What the books are told of an order: the channel's fee, discounts, who bought."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.ids import new_id
from kit.money import Money
from lockstock.order.v1 import order_events_pb2 as pb
from order.lines.domain import Line, LineStatus
from order.merchants.domain import FeeRule
from order.orders import events
from order.orders.domain import GivenBack, News, Order, Payment
from order.refunds.domain import Refund
from tests.order.factories import a_line, an_order

AMOUNTS = st.integers(0, 10**12)
RETURNED = {"fee_on_refund": "returned", "fee_bearer": "platform", "groups": "gold,vip"}


@given(
    totals=st.lists(AMOUNTS, min_size=1, max_size=20),
    basis_points=st.integers(0, 10_000),
    fixed=AMOUNTS,
)
def test_the_parts_of_a_fee_sum_up_to_it(totals: list[int], basis_points: int, fixed: int) -> None:
    parts = FeeRule(basis_points, fixed).parts(totals)

    whole = sum(totals)
    exact_10_000 = whole * basis_points + fixed * 10_000 if whole and (basis_points or fixed) else 0
    assert min(parts) >= 0
    assert abs(sum(parts) * 10_000 - exact_10_000) <= 5_000


@pytest.mark.parametrize(
    ("total", "basis_points", "fee"), [(83, 60, 0), (84, 60, 1), (250, 60, 2), (0, 60, 0)]
)
def test_half_a_minor_unit_is_rounded_up(total: int, basis_points: int, fee: int) -> None:
    assert FeeRule(basis_points).parts([total]) == [fee]


def test_an_order_that_costs_nothing_bears_no_fee() -> None:
    assert FeeRule(60, 30).parts([0, 0]) == [0, 0]


@given(fee=AMOUNTS, refunds=st.lists(st.integers(1, 10**9), min_size=1, max_size=10))
def test_the_fees_of_all_parts_of_a_whole_refund_are_the_whole_fee(
    fee: int, refunds: list[int]
) -> None:
    line = a_line(total=Money(sum(refunds), "CNY"), fee_minor=fee)
    back, before = [], 0
    for refund in refunds:
        back.append(line.fee_of(before, before + refund))
        before += refund

    assert sum(back) == fee
    assert min(back) >= 0


def test_a_paid_order_tells_each_lines_part_of_the_fee_and_who_bears_it() -> None:
    lines = [a_line(fee_minor=12), a_line(fee_minor=0)]
    message = told(News.PAID, paid(lines, terms=RETURNED), pb.OrderPaid)

    assert [line.fee.amount_minor for line in message.lines] == [12, 0]
    assert [line.HasField("fee") for line in message.lines] == [True, False]
    assert (message.fee_bearer, message.buyer_group) == ("platform", "gold,vip")


def test_a_buyer_is_the_same_in_all_orders_and_never_by_name() -> None:
    first, again = paid([a_line()]), paid([a_line()])
    other = paid([a_line()], merchant_id=new_id())
    buyers = [told(News.PAID, each, pb.OrderPaid).buyer for each in (first, again, other)]

    assert buyers[0] == buyers[1] != buyers[2]
    assert "buyer-7" not in buyers[0]


def test_discounts_are_told_by_kind() -> None:
    steps = (
        {"rule": "base", "of": "unit", "before": 2000, "after": 2000},
        {"rule": "promotion", "of": "unit", "before": 2000, "after": 1800},
        {"rule": "rounding", "of": "unit", "before": 1800, "after": 1790},
        {"rule": "coupon", "of": "line", "before": 5370, "after": 5000},
    )
    line = a_line(quantity=3, total=Money(5000, "CNY"), price_derivation=steps)
    settled = settled_line(line, LineStatus.DELIVERED)

    assert settled.promotion_discount.amount_minor == 600
    assert settled.coupon_discount.amount_minor == 370


def test_a_component_has_its_share_of_what_was_taken_off_its_bundle() -> None:
    steps = (
        {"rule": "promotion", "of": "unit", "before": 2000, "after": 1800},
        {"rule": "bundle_share", "of": "line", "coupon_discount": 5, "promotion_discount": 70},
    )
    line = a_line(price_derivation=steps)

    assert (line.coupon_discount_minor, line.promotion_discount_minor) == (5, 70)


def test_a_component_without_a_share_tells_nothing_of_what_was_taken_off_its_bundle() -> None:
    steps = (
        {"rule": "promotion", "of": "unit", "before": 2000, "after": 1999},
        {"rule": "bundle_share", "of": "line", "before": 1999, "after": 0},
    )
    line = a_line(price_derivation=steps)

    assert (line.coupon_discount_minor, line.promotion_discount_minor) == (0, 0)


def test_a_price_without_discounts_tells_none() -> None:
    settled = settled_line(a_line(), LineStatus.DELIVERED)

    assert not settled.HasField("coupon_discount")
    assert not settled.HasField("promotion_discount")


@pytest.mark.parametrize(("terms", "back"), [(RETURNED, 12), ({}, 0)])
def test_an_undelivered_line_brings_its_fee_back_where_the_channel_gives_it(
    terms: dict[str, str], back: int
) -> None:
    settled = settled_line(a_line(fee_minor=12), LineStatus.REFUNDED, terms=terms)

    assert settled.fee_returned.amount_minor == back


def test_a_delivered_line_brings_no_fee_back() -> None:
    settled = settled_line(a_line(fee_minor=12), LineStatus.DELIVERED, terms=RETURNED)

    assert not settled.HasField("fee_returned")


@pytest.mark.parametrize(("terms", "back"), [(RETURNED, 6), ({}, 0)])
def test_a_part_of_a_delivered_line_brings_its_part_of_the_fee_back(
    terms: dict[str, str], back: int
) -> None:
    line = a_line(fee_minor=12, total=Money(1000, "CNY"), refunded_minor=750)
    order = paid([line], terms=terms)
    refund = a_refund(order, line, 500)
    message = events.word_money(GivenBack(refund, line), order)

    assert isinstance(message, pb.RefundMade)
    assert message.fee_returned.amount_minor == back
    assert message.HasField("fee_returned") is bool(back)


def paid(lines: list[Line], **given: Any) -> Order:
    order = an_order(lines=lines, **given)
    return an_order(
        lines=lines,
        **{**given, "total": order.total},
        payment=Payment(new_id(), "channel", "demo", "ref", order.total),
    )


def told(news: News, order: Order, kind: type[pb.OrderPaid]) -> pb.OrderPaid:
    message = events.word(news, order)
    assert isinstance(message, kind)
    return message


def settled_line(
    line: Line, status: LineStatus, terms: dict[str, str] | None = None
) -> pb.SettledLine:
    order = an_order(lines=[replace(line, status=status)], terms=terms or {})
    message = events.word(News.PARTIALLY_COMPLETED, order)
    assert isinstance(message, pb.OrderPartiallyCompleted)
    return message.lines[0]


def a_refund(order: Order, line: Line, amount: int) -> Refund:
    return Refund(
        id=new_id(),
        order_id=order.id,
        line_id=line.id,
        merchant_id=order.merchant_id,
        provider="demo",
        provider_reference="ref",
        amount=Money(amount, "CNY"),
        reason="wish",
        payment_id=new_id(),
        payment_amount=order.total,
    )
