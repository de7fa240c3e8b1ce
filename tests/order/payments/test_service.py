"""Money that came: it pays, is kept as a part, or goes back. It is never refused."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.errors import DomainError
from kit.ids import new_id
from kit.money import Money
from lockstock.order.v1.order_events_pb2 import OrderPaid, PaymentReceived, RefundMade
from order.lines.domain import LineStatus
from order.orders.domain import Order, OrderStatus
from order.payments.domain import AmountMismatch, PaymentReferenceUsed, PaymentWord, Receipt
from order.payments.jobs import pay_back
from order.payments.service import PayCall, PaymentService
from order.provider import RefundOutcome
from order.refunds.domain import Refund
from order.saga import service as saga
from tests.order.conftest import Consume
from tests.order.factories import (
    a_line,
    a_payment_body,
    an_order,
    assessed,
    delivered,
    failed,
    kinds_of,
    placed,
    state_of,
)

PRICE = 1990


class Bank:
    """The provider behind `demo`: pays back what it is asked to."""

    name = "demo"
    takes_word = True

    def __init__(self) -> None:
        self.paid_back: list[Refund] = []

    async def refund(self, refund: Refund) -> RefundOutcome:
        self.paid_back.append(refund)
        return RefundOutcome.DONE


async def came(
    db: Database, order: Order, amount: int, reference: str = "r-1", currency: str = "CNY"
) -> Receipt | DomainError:
    """A provider says that money is there."""
    word = PaymentWord("demo", reference, Money(amount, currency))
    call = PayCall(order.merchant_id, order.id, word, "provider:demo", has_come=True)
    async with db.transaction() as tx:
        return (await PaymentService({}).pay_many(tx, [call]))[0]


async def given_back(db: Database) -> list[Refund]:
    """What one round of the refund job gives back."""
    bank = Bank()
    await pay_back(db, {"demo": bank}, every_seconds=1)._run()
    return bank.paid_back


async def payments_of(db: Database, order: Order) -> list[tuple[str, str, int, int]]:
    query = (
        "SELECT provider_reference, status, applied_minor, back_minor FROM order_payment "
        "WHERE order_id = :id ORDER BY id"
    )
    async with db.read() as tx:
        return [tuple(row) for row in await tx.execute(text(query), {"id": order.id})]


async def events_of(db: Database, order: Order, kind: type[Any]) -> list[Any]:
    query = "SELECT payload FROM event_log WHERE key = :key AND type LIKE :type ORDER BY id"
    values = {"key": str(order.id), "type": f"%.{kind.DESCRIPTOR.name}"}
    async with db.read() as tx:
        return [kind.FromString(row.payload) for row in await tx.execute(text(query), values)]


def figures(order: Order) -> tuple[int, int, int, int]:
    """Paid, delivered, back, open: the first is always the sum of the others."""
    found = (order.paid, order.delivered_value, order.refunded, order.open)
    assert found[0] == found[1] + found[2] + found[3]
    paid, delivered_value, back, still_open = (it.amount_minor for it in found)
    return paid, delivered_value, back, still_open


async def test_the_exact_amount_pays(db: Database) -> None:
    order = await placed(db)

    assert isinstance(await came(db, order, PRICE), Receipt)

    assert (await state_of(db, order)).status is OrderStatus.PAID
    assert await payments_of(db, order) == [("r-1", "taken", PRICE, 0)]
    assert figures(await state_of(db, order)) == (PRICE, 0, 0, PRICE)


async def test_parts_that_add_up_pay_the_order(db: Database) -> None:
    order = await placed(db)

    await came(db, order, 500, "r-1")
    await came(db, order, 490, "r-2")
    state = await state_of(db, order)
    assert (state.status, state.owed) == (OrderStatus.PENDING_PAYMENT, Money(1000, "CNY"))
    assert figures(state) == (990, 0, 0, 990)
    await came(db, order, 1000, "r-3")

    state = await state_of(db, order)
    assert state.status is OrderStatus.PAID
    assert await payments_of(db, order) == [
        ("r-1", "taken", 500, 0),
        ("r-2", "taken", 490, 0),
        ("r-3", "taken", 1000, 0),
    ]
    arrived = await events_of(db, order, PaymentReceived)
    assert [it.amount.amount_minor for it in arrived] == [500, 490]
    assert {it.kind for it in arrived} == {PaymentReceived.Kind.KIND_PART}
    (paid,) = await events_of(db, order, OrderPaid)
    assert (paid.amount.amount_minor, paid.earlier.amount_minor) == (PRICE, 990)
    assert await kinds_of(db, order) == ["placed", "payment_partial", "payment_partial", "paid"]


async def test_too_much_pays_and_the_surplus_goes_back(db: Database) -> None:
    order = await placed(db)

    await came(db, order, 2500)
    assert figures(await state_of(db, order)) == (2500, 0, 0, 2500)
    (back,) = await given_back(db)

    assert (back.amount, back.payment_amount) == (Money(510, "CNY"), Money(2500, "CNY"))
    assert back.line_id is None
    state = await state_of(db, order)
    assert (state.status, state.total) == (OrderStatus.PAID, Money(PRICE, "CNY"))
    assert figures(state) == (2500, 0, 510, PRICE)
    assert await payments_of(db, order) == [("r-1", "taken", PRICE, 510)]
    (paid,) = await events_of(db, order, OrderPaid)
    (surplus,) = await events_of(db, order, PaymentReceived)
    (returned,) = await events_of(db, order, RefundMade)
    assert (paid.amount.amount_minor, paid.earlier.amount_minor) == (PRICE, 0)
    assert surplus.kind == PaymentReceived.Kind.KIND_SURPLUS
    assert surplus.amount.amount_minor == returned.amount.amount_minor == 510


async def test_a_second_payment_of_a_paid_order_goes_back(db: Database) -> None:
    order = await placed(db)
    await came(db, order, PRICE, "first")

    second = await came(db, order, PRICE, "second")
    assert isinstance(second, Receipt)
    (back,) = await given_back(db)

    assert (back.provider_reference, back.amount) == ("second", Money(PRICE, "CNY"))
    assert await payments_of(db, order) == [
        ("first", "taken", PRICE, 0),
        ("second", "returned", 0, PRICE),
    ]
    state = await state_of(db, order)
    assert state.payment is not None
    assert state.payment.provider_reference == "first"
    assert figures(state) == (2 * PRICE, 0, PRICE, PRICE)
    assert await came(db, order, PRICE, "second") == second


async def test_another_currency_goes_back_whole(db: Database) -> None:
    order = await placed(db)

    await came(db, order, PRICE, currency="USD")
    (back,) = await given_back(db)

    assert back.amount == Money(PRICE, "USD")
    state = await state_of(db, order)
    assert state.status is OrderStatus.PENDING_PAYMENT
    assert figures(state) == (0, 0, 0, 0)
    assert await payments_of(db, order) == [("r-1", "returned", 0, PRICE)]


async def _end(db: Database, api: httpx.AsyncClient, order: Order, ending: str) -> None:
    if ending == "cancelled":
        assert (await api.post(f"/v1/orders/{order.id}/cancel")).status_code == 200
        return
    async with db.transaction() as tx:
        await saga.expire_due(tx, 100)


@pytest.mark.parametrize("ending", ["cancelled", "expired"])
async def test_money_for_an_order_that_has_ended_goes_back(
    db: Database, api: httpx.AsyncClient, ending: str
) -> None:
    order = await placed(db, an_order(pay_until=datetime.now(UTC) - timedelta(seconds=1)))
    await _end(db, api, order, ending)

    receipt = await came(db, order, PRICE)
    assert isinstance(receipt, Receipt)
    (back,) = await given_back(db)

    assert back.amount == Money(PRICE, "CNY")
    state = await state_of(db, order)
    assert state.status.value == ending
    assert figures(state) == (PRICE, 0, PRICE, 0)
    assert (await kinds_of(db, order))[1:] == [
        ending,
        "payment_unusable",
        "refund_due",
        "payment_returned",
    ]
    assert await came(db, order, PRICE) == receipt


@pytest.mark.parametrize("ending", ["cancelled", "expired"])
async def test_parts_go_back_when_the_order_ends_unpaid(
    db: Database, api: httpx.AsyncClient, ending: str
) -> None:
    order = await placed(db, an_order(pay_until=datetime.now(UTC) - timedelta(seconds=1)))
    await came(db, order, 500, "r-1")
    await came(db, order, 490, "r-2")

    await _end(db, api, order, ending)
    assert [status for _, status, _, _ in await payments_of(db, order)] == ["surplus", "surplus"]
    back = await given_back(db)

    assert {(it.provider_reference, it.amount.amount_minor) for it in back} == {
        ("r-1", 500),
        ("r-2", 490),
    }
    assert figures(await state_of(db, order)) == (990, 0, 990, 0)
    assert {status for _, status, _, _ in await payments_of(db, order)} == {"returned"}


async def test_the_same_payment_told_often_at_once_is_recorded_once(db: Database) -> None:
    order = await placed(db)

    answers = await asyncio.gather(*(came(db, order, 500) for _ in range(8)))

    assert len(set(answers)) == 1
    assert await payments_of(db, order) == [("r-1", "partial", 0, 0)]
    assert figures(await state_of(db, order)) == (500, 0, 0, 500)


async def test_a_payment_that_is_told_with_another_amount_is_refused_with_the_first(
    db: Database,
) -> None:
    order = await placed(db)
    await came(db, order, 500)

    answer = await came(db, order, 501)

    assert isinstance(answer, AmountMismatch)
    assert answer.fields["expected"] == {"amount": 500, "currency": "CNY"}
    assert figures(await state_of(db, order)) == (500, 0, 0, 500)


async def test_a_payment_of_another_order_is_not_taken_again(db: Database) -> None:
    first, second = await placed(db), await placed(db)
    await came(db, first, PRICE)

    assert isinstance(await came(db, second, PRICE), PaymentReferenceUsed)
    assert figures(await state_of(db, second)) == (0, 0, 0, 0)


async def test_a_word_of_the_whole_price_after_a_part_returns_what_is_too_much(
    db: Database, api: httpx.AsyncClient
) -> None:
    order = await placed(db)
    await came(db, order, 500)

    body = a_payment_body(order, provider="demo")
    answer = await api.post(f"/v1/orders/{order.id}/payments", json=body)
    assert answer.status_code == 201, answer.text
    (back,) = await given_back(db)

    assert (back.provider_reference, back.amount.amount_minor) == (f"pay-{order.id}", 500)
    assert figures(await state_of(db, order)) == (PRICE + 500, 0, 500, PRICE)


async def test_a_line_that_fails_is_given_back_out_of_every_payment(
    db: Database, consume: Consume
) -> None:
    lines = [a_line(total=Money(1200, "CNY")), a_line(line_no=2, total=Money(790, "CNY"))]
    order = await placed(db, an_order(lines=lines))
    await consume(assessed(order))
    await came(db, order, 1000, "r-1")
    await came(db, order, 990, "r-2")

    await consume(failed(order, lines[0]))
    back = await given_back(db)
    assert [(it.provider_reference, it.amount.amount_minor) for it in back] == [
        ("r-1", 1000),
        ("r-2", 200),
    ]
    await consume(delivered(order, lines[1]))

    state = await state_of(db, order)
    assert state.status is OrderStatus.PARTIALLY_COMPLETED
    assert [line.status for line in state.lines] == [LineStatus.REFUNDED, LineStatus.DELIVERED]
    assert figures(state) == (1990, 790, 1200, 0)


@pytest.mark.parametrize("ending", ["cancelled", "expired"])
async def test_paying_while_the_order_ends_has_one_end(
    db: Database, api: httpx.AsyncClient, ending: str
) -> None:
    late = datetime.now(UTC) - timedelta(seconds=1)
    seen: set[OrderStatus] = set()
    for _ in range(10):
        order = await placed(db, an_order(pay_until=late))

        async def end(order: Order = order) -> None:
            if ending == "cancelled":
                await api.post(f"/v1/orders/{order.id}/cancel")
            else:
                async with db.transaction() as tx:
                    await saga.expire_due(tx, 100)

        receipts = await asyncio.gather(
            *(came(db, order, PRICE, f"r-{order.id}") for _ in range(3)), end()
        )
        await given_back(db)

        state = await state_of(db, order)
        seen.add(state.status)
        assert len(set(receipts[:3])) == 1
        kept = state.status is OrderStatus.PAID
        assert figures(state) == (PRICE, 0, 0 if kept else PRICE, PRICE if kept else 0)
    assert seen <= {OrderStatus.PAID, OrderStatus(ending)}


async def test_the_payments_of_an_order_are_listed(db: Database, api: httpx.AsyncClient) -> None:
    order = await placed(db)
    await came(db, order, 500, "r-1")
    await came(db, order, 2000, "r-2")

    pages = await _pages(api, f"/v1/orders/{order.id}/payments")

    assert [(it["provider_reference"], it["status"]) for it in pages] == [
        ("r-1", "taken"),
        ("r-2", "taken"),
    ]
    assert [it["applied"]["amount"] for it in pages] == [500, 1490]
    assert [it["back"]["amount"] for it in pages] == [0, 510]
    assert (await api.get(f"/v1/orders/{new_id()}/payments")).status_code == 404
    shown = (await api.get(f"/v1/orders/{order.id}")).json()
    assert [shown[name]["amount"] for name in ("paid", "refunded", "open")] == [2500, 0, 2500]


async def _pages(api: httpx.AsyncClient, path: str) -> Sequence[Any]:
    """All of a list, one by one."""
    items: list[Any] = []
    cursor: str | None = None
    for _ in range(10):
        more = f"&cursor={cursor}" if cursor else ""
        answer = (await api.get(f"{path}?limit=1{more}")).json()
        items += answer["items"]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    return items
