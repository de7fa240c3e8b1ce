"""Refunds somebody asks for: whole and by line, never more than paid, exactly once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.money import Money
from lockstock.order.v1.order_events_pb2 import (
    OrderCompleted,
    OrderPartiallyCompleted,
    OrderRefunded,
    RefundMade,
)
from order.lines.domain import LineStatus
from order.orders.domain import Order, OrderStatus, Verdict
from order.payments.jobs import pay_back
from order.provider import Provider, RefundOutcome
from order.refunds import service as refunds
from order.refunds.domain import RefundState, RefundStatus
from tests.order.conftest import ApiClient, Consume
from tests.order.factories import (
    a_line,
    an_order,
    assessed,
    delivered,
    failed,
    fulfilling,
    kinds_of,
    paid,
    placed,
    state_of,
    unknown,
)
from tests.order.payments.test_refunds import MoodyProvider, run
from tests.order.payments.test_service import events_of, figures


async def ask(
    api: httpx.AsyncClient, order: Order, key: str | None = None, **body: Any
) -> httpx.Response:
    headers = {"Idempotency-Key": key or str(new_id())}
    body = {"reason": "does not work", **(body or {"whole": True})}
    return await api.post(f"/v1/orders/{order.id}/refunds", json=body, headers=headers)


async def settle(db: Database) -> None:
    """Every refund that is due is made."""
    await run(db, {"channel": MoodyProvider(*[RefundOutcome.DONE] * 20)})


async def completed(db: Database, consume: Consume, *prices: int, quantity: int = 1) -> Order:
    lines = [
        a_line(line_no=number, total=Money(price, "CNY"), quantity=quantity)
        for number, price in enumerate(prices, 1)
    ]
    order = await fulfilling(db, an_order(lines=lines))
    await consume(*(delivered(order, line) for line in order.lines))
    return order


def of(line: Any, **measure: Any) -> Sequence[dict[str, Any]]:
    return [{"line_id": str(line.id), **measure}]


def cny(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "CNY"}


async def test_a_delivered_order_is_refunded_whole_and_the_goods_stay(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await completed(db, consume, 1000, 990)

    answer = await ask(api, order)
    assert answer.status_code == 201, answer.text
    assert answer.json()["order_status"] == "refunding"
    assert figures(await state_of(db, order)) == (1990, 0, 0, 1990)
    await settle(db)

    state = await state_of(db, order)
    assert state.status is OrderStatus.REFUNDED
    assert {line.status for line in state.lines} == {LineStatus.DELIVERED}
    assert figures(state) == (1990, 0, 1990, 0)
    made = await events_of(db, order, RefundMade)
    assert [it.amount.amount_minor for it in made] == [1000, 990]
    assert {it.kind for it in made} == {RefundMade.Kind.KIND_DELIVERED_LINE}
    assert all(it.is_whole_line for it in made)
    assert len(await events_of(db, order, OrderCompleted)) == 1
    assert await events_of(db, order, OrderRefunded) == []
    shown = (await api.get(f"/v1/orders/{order.id}/refunds")).json()["items"]
    assert {it["status"] for it in shown} == {"done"}
    assert {it["reason"] for it in shown} == {"does not work"}
    assert all(":" in it["asked_by"] for it in shown)


async def test_a_part_of_a_line_is_refunded(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await completed(db, consume, 1000)
    line = order.lines[0]

    assert (await ask(api, order, lines=of(line, amount=cny(300)))).status_code == 201
    await settle(db)
    state = await state_of(db, order)
    assert (state.status, figures(state)) == (
        OrderStatus.PARTIALLY_COMPLETED,
        (1000, 700, 300, 0),
    )

    too_much = await ask(api, order, lines=of(line, amount=cny(701)))
    assert (too_much.status_code, too_much.json()["code"]) == (422, "refund_too_large")
    assert too_much.json()["refundable"] == cny(700)
    assert (await ask(api, order, lines=of(line))).status_code == 201
    await settle(db)

    assert (await state_of(db, order)).status is OrderStatus.REFUNDED
    again = await ask(api, order)
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_refund")
    made = await events_of(db, order, RefundMade)
    assert [it.is_whole_line for it in made] == [False, True]
    kinds = await kinds_of(db, order)
    assert kinds.count("refund_requested") == kinds.count("line_refunded") == 2


async def test_some_units_of_a_line_are_refunded_at_their_share_of_its_price(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await completed(db, consume, 1000, quantity=3)
    line = order.lines[0]

    answer = await ask(api, order, lines=of(line, quantity=2))

    assert answer.json()["refunds"][0]["amount"] == cny(666)
    too_many = await ask(api, order, lines=of(line, quantity=4))
    assert too_many.json()["code"] == "refund_too_large"
    assert (await ask(api, order, lines=of(line, quantity=2))).status_code == 422


async def test_a_refund_before_fulfilment_is_of_the_whole_order(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await placed(db)
    await consume(assessed(order, "HOLD"))
    await paid(db, order)
    assert (await state_of(db, order)).verdict is Verdict.HOLD

    by_line = await ask(api, order, lines=of(order.lines[0]))
    assert (by_line.status_code, by_line.json()["code"]) == (409, "order_not_refundable")
    assert (await ask(api, order)).status_code == 201
    await settle(db)

    assert (await state_of(db, order)).status is OrderStatus.REFUNDED
    assert len(await events_of(db, order, OrderRefunded)) == 1
    assert await events_of(db, order, RefundMade) == []


async def test_an_unpaid_order_has_nothing_to_refund(api: httpx.AsyncClient, db: Database) -> None:
    order = await placed(db)

    answer = await ask(api, order)

    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_refundable")


async def test_a_line_whose_outcome_is_unknown_is_not_refunded(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await fulfilling(db, an_order(lines=[a_line(), a_line(line_no=2)]))
    await consume(delivered(order, order.lines[0]))
    await consume(unknown(order, order.lines[1]))

    for body in ({"whole": True}, {"lines": of(order.lines[1])}):
        answer = await ask(api, order, **body)
        assert (answer.status_code, answer.json()["code"]) == (409, "outcome_unknown")
        assert answer.json()["lines"][0]["line_id"] == str(order.lines[1].id)
    # The other line may be, and the order ends as it should once the outcome is known.
    assert (await ask(api, order, lines=of(order.lines[0]))).status_code == 201
    await settle(db)
    assert (await state_of(db, order)).status is OrderStatus.FULFILLING
    await consume(failed(order, order.lines[1]))
    await settle(db)

    state = await state_of(db, order)
    assert (state.status, figures(state)) == (OrderStatus.REFUNDED, (3980, 0, 3980, 0))
    (told,) = await events_of(db, order, OrderPartiallyCompleted)
    assert told.refunded.amount_minor == 1990
    assert [line.delivered for line in told.lines] == [True, False]


async def test_a_line_that_failed_goes_back_by_itself_only(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await fulfilling(db, an_order(lines=[a_line(), a_line(line_no=2)]))
    await consume(delivered(order, order.lines[0]), failed(order, order.lines[1]))

    answer = await ask(api, order, lines=of(order.lines[1]))

    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_refund")
    whole = await ask(api, order)
    assert [it["line_id"] for it in whole.json()["refunds"]] == [str(order.lines[0].id)]


async def test_twenty_refunds_at_once_give_back_what_was_paid_and_no_more(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await completed(db, consume, 1000)
    lines = of(order.lines[0], amount=cny(300))

    answers = await asyncio.gather(*(ask(api, order, lines=lines) for _ in range(20)))
    await settle(db)

    assert sorted(it.status_code for it in answers) == [201] * 3 + [422] * 17
    assert figures(await state_of(db, order)) == (1000, 100, 900, 0)


async def test_one_key_refunds_once_however_often_it_is_sent(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await completed(db, consume, 1000)
    lines = of(order.lines[0], amount=cny(300))

    answers = await asyncio.gather(*(ask(api, order, "one", lines=lines) for _ in range(10)))
    other = await ask(api, order, "one", lines=of(order.lines[0], amount=cny(301)))

    assert len({answer.content for answer in answers}) == 1
    assert (await state_of(db, order)).lines[0].refund_minor == 300
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_refund_without_a_key_is_refused(api: httpx.AsyncClient, db: Database) -> None:
    order = await placed(db)

    body = {"reason": "x", "whole": True}
    answer = await api.post(f"/v1/orders/{order.id}/refunds", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_required")


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "x"},
        {"reason": "x", "whole": True, "lines": [{"line_id": str(new_id())}]},
        {"reason": "", "whole": True},
        {"whole": True},
        {"reason": "x", "lines": [{"line_id": str(new_id()), "amount": cny(-1)}]},
        {"reason": "x", "lines": [{"line_id": str(new_id()), "quantity": 0}]},
        {"reason": "x", "lines": [{"line_id": str(new_id()), "quantity": 1, "amount": cny(1)}]},
        {"reason": "x", "lines": [{"line_id": str(new_id())}]},
        {"reason": "x", "lines": [{"line_id": "first"}, {"line_id": "first"}]},
    ],
)
async def test_a_bad_refund_is_refused(
    api: httpx.AsyncClient, db: Database, consume: Consume, body: dict[str, Any]
) -> None:
    order = await completed(db, consume, 1000)
    for line in body.get("lines", ()):
        line |= {"line_id": line["line_id"].replace("first", str(order.lines[0].id))}

    headers = {"Idempotency-Key": str(new_id())}
    answer = await api.post(f"/v1/orders/{order.id}/refunds", json=body, headers=headers)

    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_another_currency_or_nothing_is_refused(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await completed(db, consume, 1000)
    line = order.lines[0]

    usd = await ask(api, order, lines=of(line, amount={"amount": 1, "currency": "USD"}))
    nothing = await ask(api, order, lines=of(line, amount=cny(0)))

    assert (usd.status_code, usd.json()["code"]) == (422, "currency_mismatch")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_refund")


async def test_only_its_merchant_with_the_scope_refunds_an_order(
    open_api: ApiClient, other_api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await completed(db, consume, 1000)

    assert (await ask(other_api, order)).status_code == 404
    assert (await other_api.get(f"/v1/orders/{order.id}/refunds")).status_code == 404
    assert (await ask(await open_api(["orders:write"]), order)).status_code == 403


async def _refund_job(db: Database, *answers: RefundOutcome | Exception) -> None:
    provider: Provider = MoodyProvider(*answers)
    await run(db, {"channel": provider})


async def _refused(db: Database, consume: Consume) -> tuple[Order, RefundState]:
    """An order whose refund its provider refused for certain."""
    order = await fulfilling(db)
    await consume(failed(order, order.lines[0]))
    await _refund_job(db, RefundOutcome.REFUSED)
    async with db.read() as tx:
        (waiting,) = await refunds.list_of_order(tx, order.id, after=None, limit=10)
    return order, waiting


async def _act(
    api: httpx.AsyncClient, waiting: RefundState, what: str
) -> tuple[int, dict[str, Any]]:
    path = f"/v1/waits/{waiting.refund.id}/{what}"
    answer = await api.post(path, json={"reason": "bank transfer"})
    return answer.status_code, answer.json()


async def test_a_refused_refund_waits_for_somebody_and_is_not_asked_again(
    db: Database, consume: Consume
) -> None:
    order, waiting = await _refused(db, consume)

    assert (waiting.status, waiting.last_error) == (RefundStatus.MANUAL, "refused")
    await _refund_job(db)
    assert "refund_refused" in await kinds_of(db, order)
    assert figures(await state_of(db, order)) == (1990, 0, 0, 1990)


async def test_a_refused_refund_may_be_asked_for_again(
    db: Database, consume: Consume, api: httpx.AsyncClient
) -> None:
    order, waiting = await _refused(db, consume)

    assert (await _act(api, waiting, "retry"))[0] == 200
    assert (await _act(api, waiting, "settle"))[1]["possible"] == ["retry"]
    await _refund_job(db, RefundOutcome.DONE)

    assert (await state_of(db, order)).status is OrderStatus.REFUNDED
    assert (await _act(api, waiting, "retry"))[0] == 404


async def test_a_refused_refund_may_be_made_by_hand_once(
    db: Database, consume: Consume, api: httpx.AsyncClient, open_api: ApiClient
) -> None:
    order, waiting = await _refused(db, consume)
    weak = await open_api(["steps:read", "steps:write"])

    assert (await _act(weak, waiting, "settle"))[0] == 403
    answers = await asyncio.gather(*(_act(api, waiting, "settle") for _ in range(5)))

    assert sorted(status for status, _ in answers) == [200, 404, 404, 404, 404]
    state = await state_of(db, order)
    assert (state.status, figures(state)) == (OrderStatus.REFUNDED, (1990, 0, 1990, 0))
    assert (await kinds_of(db, order)).count("wait_settled") == 1


async def test_an_unclear_refund_is_unknown_until_it_is_answered(
    db: Database, consume: Consume
) -> None:
    order = await fulfilling(db)
    await consume(failed(order, order.lines[0]))

    await _refund_job(db, TimeoutError())

    async with db.read() as tx:
        (state,) = await refunds.list_of_order(tx, order.id, after=None, limit=9)
        due = text("SELECT next_at > clock_timestamp() FROM order_refund")
        assert (await tx.execute(due)).scalar_one()
    assert (state.status, state.attempts) == (RefundStatus.UNKNOWN, 1)
    assert state.last_error == "unknown: TimeoutError"


async def test_two_workers_share_the_refunds(db: Database, consume: Consume) -> None:
    orders = [await fulfilling(db) for _ in range(8)]
    for order in orders:
        await consume(failed(order, order.lines[0]))
    provider = MoodyProvider(*[RefundOutcome.DONE] * len(orders))
    jobs = [pay_back(db, {"channel": provider}, every_seconds=1) for _ in range(3)]

    await asyncio.gather(*(job._run() for job in jobs))

    assert len({refund.id for refund in provider.asked}) == len(provider.asked) == len(orders)
    for order in orders:
        assert (await state_of(db, order)).status is OrderStatus.REFUNDED


async def test_a_refund_that_cannot_be_settled_holds_up_no_other(
    db: Database, consume: Consume
) -> None:
    orders = [await fulfilling(db) for _ in range(3)]
    for order in orders:
        await consume(failed(order, order.lines[0]))
    counted = text("UPDATE order_line SET refunded_minor = refund_minor WHERE id = :id")
    async with db.transaction() as tx:
        await tx.execute(counted, {"id": orders[1].lines[0].id})

    await _refund_job(db, *[RefundOutcome.DONE] * 3)

    assert [(await state_of(db, order)).status for order in orders] == [
        OrderStatus.REFUNDED,
        OrderStatus.REFUNDING,
        OrderStatus.REFUNDED,
    ]
