"""Paying: exact amounts, each payment once, races with cancelling and expiring."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.money import Money
from order.orders.domain import Order, OrderStatus
from order.saga import service as saga
from tests.order.conftest import ApiClient, Consume
from tests.order.factories import (
    UNTRUSTED,
    a_line,
    a_payment_body,
    an_order,
    assessed,
    kinds_of,
    placed,
    state_of,
)

CALLERS = 20


async def pay(api: httpx.AsyncClient, order: Order, **given: object) -> httpx.Response:
    return await api.post(f"/v1/orders/{order.id}/payments", json=a_payment_body(order, **given))


async def published(db: Database, order: Order) -> list[str]:
    """The types of the order's events, in order."""
    async with db.read() as tx:
        rows = await tx.execute(
            text("SELECT type FROM event_log WHERE key = :key ORDER BY id"), {"key": str(order.id)}
        )
        return [row.type.rpartition(".")[2] for row in rows]


async def test_a_payment_of_the_exact_amount_pays_the_order(
    api: httpx.AsyncClient, db: Database
) -> None:
    order = await placed(db)

    answer = await pay(api, order)

    assert answer.status_code == 201, answer.text
    assert answer.json()["amount"] == {"amount": 1990, "currency": "CNY"}
    assert (await state_of(db, order)).status is OrderStatus.PAID
    assert await published(db, order) == ["OrderPlaced", "OrderPaid"]
    assert await kinds_of(db, order) == ["placed", "paid"]


async def test_a_paid_and_allowed_order_goes_to_fulfilment_at_once(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await placed(db)
    await consume(assessed(order))

    await pay(api, order)

    assert (await state_of(db, order)).status is OrderStatus.FULFILLING
    assert await published(db, order) == ["OrderPlaced", "OrderPaid", "FulfillmentRequested"]


async def test_twenty_equal_payments_at_once_pay_once(api: httpx.AsyncClient, db: Database) -> None:
    order = await placed(db)

    answers = await asyncio.gather(*(pay(api, order) for _ in range(CALLERS)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert (await published(db, order)).count("OrderPaid") == 1


async def test_the_same_payment_later_gives_the_same_answer(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await placed(db)
    first = await pay(api, order)
    await consume(assessed(order))

    assert (await pay(api, order)).json() == first.json()


async def test_any_other_amount_is_refused(api: httpx.AsyncClient, db: Database) -> None:
    order = await placed(db)

    for amount, currency in ((1989, "CNY"), (1991, "CNY"), (1990, "USD")):
        answer = await pay(api, order, amount={"amount": amount, "currency": currency})
        assert answer.status_code == 422
        problem = answer.json()
        assert problem["code"] == "amount_mismatch"
        assert problem["expected"] == {"amount": 1990, "currency": "CNY"}
        assert problem["errors"][0]["pointer"] == "/amount"
    assert (await state_of(db, order)).status is OrderStatus.PENDING_PAYMENT


async def test_a_second_payment_of_a_paid_order_is_refused(
    api: httpx.AsyncClient, db: Database
) -> None:
    order = await placed(db)
    await pay(api, order)

    answer = await pay(api, order, provider_reference="another")

    assert (answer.status_code, answer.json()["code"]) == (409, "already_paid")


async def test_one_payment_cannot_pay_two_orders(api: httpx.AsyncClient, db: Database) -> None:
    first, second = await placed(db), await placed(db)
    await pay(api, first, provider_reference="pay-1")

    answer = await pay(api, second, provider_reference="pay-1")

    assert (answer.status_code, answer.json()["code"]) == (409, "payment_reference_used")
    assert (await state_of(db, second)).status is OrderStatus.PENDING_PAYMENT


@pytest.mark.parametrize("ending", ["cancel", "expire"])
async def test_money_for_an_ended_order_must_be_refunded_by_the_caller(
    api: httpx.AsyncClient, db: Database, ending: str
) -> None:
    order = await placed(db, an_order(pay_until=datetime.now(UTC) - timedelta(seconds=1)))
    if ending == "cancel":
        await api.post(f"/v1/orders/{order.id}/cancel", json={})
    else:
        async with db.transaction() as tx:
            await saga.expire_due(tx, 10)

    answer = await pay(api, order)

    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_payable")
    assert "refund" in answer.json()["detail"]


async def test_an_untrusted_channels_word_does_not_count(
    api: httpx.AsyncClient, db: Database
) -> None:
    order = await placed(db, an_order(channel_id=UNTRUSTED))

    assert (await pay(api, order)).json()["code"] == "channel_not_trusted"
    assert (await pay(api, order, provider="demo")).status_code == 201


async def test_that_nothing_was_paid_of_a_free_order_needs_nobodys_trust(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    free = an_order(channel_id=UNTRUSTED, lines=[a_line(total=Money(0, "CNY"))])
    order, priced = await placed(db, free), await placed(db, an_order(channel_id=UNTRUSTED))
    nothing = {"provider": "none", "amount": {"amount": 0, "currency": "CNY"}}

    answer = await pay(api, order, **nothing)
    again = await pay(api, order, **nothing)
    refused = await pay(api, priced, **nothing)

    assert (answer.status_code, again.json()) == (201, answer.json())
    assert (refused.status_code, refused.json()["code"]) == (422, "amount_mismatch")
    paid = await state_of(db, order)
    assert (paid.status, paid.verdict) == (OrderStatus.PAID, None)  # risk is still awaited
    assert paid.payment is not None
    assert paid.payment.via == "channel"
    await consume(assessed(order, "DECLINE"))
    assert (await state_of(db, order)).status is OrderStatus.REFUNDING


async def test_another_merchants_order_is_not_found(
    open_api: ApiClient, db: Database, other_api: httpx.AsyncClient
) -> None:
    order = await placed(db)

    assert (await pay(other_api, order)).status_code == 404
    assert (await pay(await open_api(["orders:write"]), order)).status_code == 403


async def test_an_order_that_does_not_exist_is_not_found(api: httpx.AsyncClient) -> None:
    answer = await pay(api, an_order())

    assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found")


async def test_cancelling_and_paying_at_once_has_one_winner(
    api: httpx.AsyncClient, db: Database
) -> None:
    endings = set()
    for _ in range(10):
        order = await placed(db)

        paid, cancelled = await asyncio.gather(
            pay(api, order), api.post(f"/v1/orders/{order.id}/cancel", json={})
        )

        state = (await state_of(db, order)).status
        endings.add(state)
        assert sorted([paid.status_code, cancelled.status_code]) in ([200, 409], [201, 409])
        assert (state is OrderStatus.PAID) == (paid.status_code == 201)
        assert (state is OrderStatus.CANCELLED) == (cancelled.status_code == 200)
    assert endings <= {OrderStatus.PAID, OrderStatus.CANCELLED}


async def test_expiring_and_paying_at_once_has_one_winner(
    api: httpx.AsyncClient, db: Database
) -> None:
    async def expire() -> None:
        async with db.transaction() as tx:
            await saga.expire_due(tx, 100)

    late = datetime.now(UTC) - timedelta(seconds=1)
    for _ in range(10):
        order = await placed(db, an_order(pay_until=late))

        paid, _ = await asyncio.gather(pay(api, order), expire())

        news = await published(db, order)
        assert len(set(news) & {"OrderPaid", "OrderExpired"}) == 1
        assert ("OrderPaid" in news) == (paid.status_code == 201)


async def test_many_orders_paid_at_once_are_each_paid(api: httpx.AsyncClient, db: Database) -> None:
    orders = [await placed(db, an_order(lines=[a_line(), a_line(line_no=2)])) for _ in range(10)]

    answers = await asyncio.gather(*(pay(api, order) for order in orders for _ in range(3)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({UUID(answer.json()["id"]) for answer in answers}) == len(orders)


async def test_an_idempotency_key_replays_and_refuses_another_body(
    api: httpx.AsyncClient, db: Database
) -> None:
    order = await placed(db)
    headers = {"Idempotency-Key": str(new_id())}
    path = f"/v1/orders/{order.id}/payments"

    first = await api.post(path, json=a_payment_body(order), headers=headers)
    again = await api.post(path, json=a_payment_body(order), headers=headers)
    other = await api.post(
        path, json=a_payment_body(order, provider_reference="x"), headers=headers
    )

    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_refused_payments_do_not_harm_those_taken_with_them(
    api: httpx.AsyncClient, db: Database
) -> None:
    orders = [await placed(db) for _ in range(6)]
    cancelled = orders[4]
    await api.post(f"/v1/orders/{cancelled.id}/cancel")
    wrong = {"amount": 1, "currency": "CNY"}

    answers = await asyncio.gather(
        pay(api, orders[0]),
        pay(api, orders[1], amount=wrong),
        pay(api, orders[2], provider_reference="same"),
        pay(api, orders[3], provider_reference="same"),
        pay(api, cancelled),
        pay(api, an_order()),
        pay(api, orders[5], provider_reference="one"),
        pay(api, orders[5], provider_reference="other"),
    )

    codes = [answer.json().get("code", "paid") for answer in answers]
    assert codes[:2] == ["paid", "amount_mismatch"]
    assert sorted(codes[2:4]) == ["paid", "payment_reference_used"]
    assert codes[4:6] == ["order_not_payable", "order_not_found"]
    assert sorted(codes[6:8]) == ["already_paid", "paid"]
    news = [await published(db, order) for order in orders]
    assert sum(told.count("OrderPaid") for told in news) == 3
