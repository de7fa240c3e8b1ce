"""The ladder of a paid line that stock ran out for. No database needed."""

from dataclasses import replace
from typing import Any

import pytest

from kit.ids import new_id
from kit.money import Money
from order.deliveries.domain import LineOutcome
from order.lines.domain import Line, LineStatus
from order.orders.domain import Change, News, OrderStatus
from order.saga import domain as saga
from order.shortages import service as shortages
from order.steps.domain import Answer, Done, Failed, NotYet, Step, Unknown
from tests.order.factories import a_line
from tests.order.stages.test_domain import asked, begun, bound, settled, statuses


def a_short_line(line_no: int = 1, **given: Any) -> Line:
    shortage = {"substitutes": ["GAME-90", "GAME-80"], "back_order_seconds": 600}
    return a_line(line_no=line_no, terms={"kind": "pool", "shortage": shortage}, **given)


def short(change: Change, line_no: int = 1) -> Change:
    return settled(change, line_no, LineStatus.FAILED, "out_of_stock")


def answered(change: Change, answer: Answer, step: Step | None = None) -> Change:
    return shortages.settle(change, step or change.steps[-1], answer)


def a_hold(**instead: str) -> Done:
    held: dict[str, Any] = {"reservation_id": str(new_id())}
    return Done({**held, "instead": instead} if instead else held)


def a_substitute() -> Done:
    return a_hold(
        product_id=str(new_id()),
        sku="GAME-90",
        name="Other card",
        pool_id=str(new_id()),
        instructions="Elsewhere.",
        terms="",
        template="",
    )


def test_without_a_policy_a_short_line_is_refunded_at_once() -> None:
    change = short(begun(a_line()))

    assert change.steps == ()
    assert len(change.refunds) == 1
    assert change.order.status is OrderStatus.REFUNDING


@pytest.mark.parametrize("reason", ["refused", "account_unknown"])
def test_only_want_of_stock_leads_to_the_ladder(reason: str) -> None:
    change = settled(begun(a_short_line()), 1, LineStatus.FAILED, reason)

    assert change.steps == ()
    assert len(change.refunds) == 1


def test_the_rungs_are_climbed_in_order_and_end_with_the_refund() -> None:
    change = short(begun(a_short_line()))
    kinds = [(change.steps[-1].kind, change.steps[-1].args["sku"])]
    for _ in range(2):
        change = answered(change, Failed("out_of_stock"))
        kinds.append((change.steps[-1].kind, change.steps[-1].args["sku"]))

    assert kinds == [
        ("substitute", "GAME-90"),
        ("substitute", "GAME-80"),
        ("back_order", "GAME-100"),
    ]
    assert change.steps[-1].deadline.total_seconds() == 600
    assert change.refunds == ()
    assert change.order.status is OrderStatus.FULFILLING

    change = answered(change, Failed("out_of_stock"))

    assert len(change.refunds) == 1
    assert change.refunds[0].amount == change.order.lines[0].total
    assert change.order.status is OrderStatus.REFUNDING
    told = [entry.kind for entry in change.entries if entry.kind.startswith("shortage_")]
    assert told == [
        "shortage_substitute",
        "shortage_goes_on",
        "shortage_substitute",
        "shortage_goes_on",
        "shortage_back_order",
        "shortage_goes_on",
    ]


def test_a_substitute_goes_to_fulfilment_at_the_price_of_the_line() -> None:
    change = short(begun(a_short_line(quantity=2)))
    answer = a_substitute()

    change = answered(change, answer)

    news, order = change.news[-1]
    assert news is News.FULFILLMENT_REQUESTED
    assert str(order.reservation_id) == answer.result["reservation_id"]
    [line] = order.lines
    assert (line.sku, line.name, line.round) == ("GAME-90", "Other card", 2)
    assert (line.quantity, line.total) == (2, Money(3980, "CNY"))
    [kept] = change.order.lines
    assert (kept.sku, kept.instead["sku"], kept.instead["of"]) == (
        "GAME-100",
        "GAME-90",
        "Game card",
    )
    assert settled(change, 1, LineStatus.DELIVERED).order.status is OrderStatus.COMPLETED


def test_stock_that_comes_in_time_ends_the_back_order() -> None:
    change = short(begun(a_short_line()))
    change = answered(answered(change, Failed("out_of_stock")), Failed("not_on_sale"))
    waiting = answered(change, NotYet("out_of_stock"))
    assert waiting.steps == change.steps

    change = answered(change, a_hold())

    assert asked(change)[-1] == (News.FULFILLMENT_REQUESTED, [1])
    assert change.news[-1][1].lines[0].sku == "GAME-100"


def test_an_unknown_hold_changes_nothing_yet() -> None:
    change = short(begun(a_short_line()))

    assert answered(change, Unknown("silent")) == change


def test_a_round_that_fails_too_goes_on_where_the_ladder_was_left() -> None:
    change = answered(short(begun(a_short_line())), a_substitute())

    change = short(change)

    assert (change.steps[-1].kind, change.steps[-1].args["sku"]) == ("substitute", "GAME-80")
    [line] = change.order.lines
    assert (line.round, line.instead, line.status) == (3, {}, LineStatus.PENDING)


def test_late_words_of_an_earlier_round_do_not_settle_the_new_one() -> None:
    change = begun(a_short_line())
    line = change.order.lines[0]
    first = LineOutcome(
        change.order.id, line.id, new_id(), LineStatus.FAILED, reason="out_of_stock"
    )
    change = saga.settle_line(change, first)

    assert saga.settle_line(change, first) == change
    assert saga.settle_line(change, replace(first, status=LineStatus.UNKNOWN)) == change
    told = saga.settle_line(change, replace(first, status=LineStatus.DELIVERED))
    assert told.order == change.order
    assert told.entries[-1].kind == "line_contradiction"


def test_each_line_of_a_hold_that_is_lost_is_held_alone_first() -> None:
    change = short(begun(a_line(line_no=1), a_line(line_no=2, sku="GAME-200")))

    assert change.steps[-1].kind == "reserve"
    assert change.refunds == ()
    change = answered(change, a_hold())
    assert asked(change)[-1] == (News.FULFILLMENT_REQUESTED, [1])


def test_a_line_whose_neighbour_was_delivered_is_not_held_again() -> None:
    change = begun(a_line(line_no=1), a_line(line_no=2))

    change = short(settled(change, 1, LineStatus.DELIVERED), 2)

    assert statuses(change.order) == ["delivered", "failed"]


def test_units_of_a_bundle_that_is_all_or_nothing_are_refunded_together() -> None:
    change = begun(a_short_line(1, **bound()), a_short_line(2, **bound()))

    change = short(short(change, 1), 2)

    assert statuses(change.order) == ["failed", "failed"]
    assert len(change.refunds) == 2
    assert change.steps == ()


def test_a_hold_that_comes_when_nobody_waits_any_more_goes_back() -> None:
    change = short(begun(a_short_line()))
    step = change.steps[-1]
    line = change.order.lines[0]
    change = saga.give_up(change, line, "refunded by a person")

    answer = a_hold()
    change = answered(change, answer, step)

    assert change.steps[-1].kind == "release"
    assert change.steps[-1].args["reservation_id"] == answer.result["reservation_id"]
    assert change.steps[-1].undoes == str(step.ext_ref)


def test_each_hold_that_is_not_needed_is_given_back_by_a_step_of_its_own() -> None:
    """Two substitutes in a row were held and then refused by a limit, each at its first attempt."""
    change = short(begun(a_short_line()))
    for _ in range(2):
        rung = replace(change.steps[-1], attempt=1)
        held = a_substitute().result
        change = answered(change, Done({**held, "refused": "limit_reached"}), rung)

    given_back = [step for step in change.steps if step.kind == "release"]
    assert len({step.args["reservation_id"] for step in given_back}) == 2
    assert len({step.ext_ref for step in given_back}) == 2
