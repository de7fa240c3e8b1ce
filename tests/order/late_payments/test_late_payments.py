"""A whole price that comes after its order has ended buys it all the same."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.money import Money
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested, OrderExpired, OrderPaid
from order.orders.domain import OrderStatus
from order.payments.domain import Receipt
from order.step_kinds import StepKind
from tests.order.conftest import Consume
from tests.order.factories import (
    SHOP,
    a_payment_body,
    assessed,
    delivered,
    kinds_of,
    state_of,
)
from tests.order.late_payments.making import (
    DAY,
    PRICE,
    an_ended_order,
    came,
    news_of,
    owed,
    sells,
)
from tests.order.payments.test_service import events_of, figures, given_back, payments_of
from tests.order.steps.making import run, steps_of
from tests.order.vaults import ScriptedVault


async def test_the_price_of_an_expired_order_is_kept_until_its_goods_are_held_anew(
    db: Database, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)

    assert isinstance(await came(db, order), Receipt)

    state = await state_of(db, order)
    assert (state.status, figures(state)) == (OrderStatus.EXPIRED, (PRICE, 0, 0, PRICE))
    assert await payments_of(db, order) == [("r-1", "partial", 0, 0)]
    assert await owed(db, order) == {"CNY": PRICE}
    [wait] = (await api.get("/v1/waits")).json()["items"]
    assert (wait["kind"], wait["what"]) == ("step", "late_payment")


async def test_an_order_that_is_revived_goes_its_way_as_any_other(
    db: Database,
    api: httpx.AsyncClient,
    consume: Consume,
    vault: ScriptedVault,
    kinds: dict[str, StepKind],
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    await consume(assessed(order))
    receipt = await came(db, order)

    await run(db, kinds)

    state = await state_of(db, order)
    [step] = await steps_of(db, order)
    assert state.status is OrderStatus.FULFILLING
    assert vault.holds == {f"step:{step.ext_ref}": str(state.reservation_id)}
    assert await payments_of(db, order) == [("r-1", "taken", PRICE, 0)]
    [paid] = await events_of(db, order, OrderPaid)
    [request] = await events_of(db, order, FulfillmentRequested)
    assert paid.reservation_id == request.reservation_id == str(state.reservation_id)
    assert paid.earlier.amount_minor == paid.amount.amount_minor == PRICE
    assert len(await events_of(db, order, OrderExpired)) == 1
    await consume(delivered(state, state.lines[0], costs=[]))
    assert (await state_of(db, order)).status is OrderStatus.COMPLETED
    assert await owed(db, order) == {}
    assert figures(await state_of(db, order)) == (PRICE, PRICE, 0, 0)
    told = await kinds_of(db, order)
    assert told[told.index("expired") :] == [
        "expired",
        "assessed",
        "assessed_too_late",
        "payment_late",
        "revived",
        "paid",
        "fulfillment_requested",
        "line_delivered",
        "completed",
    ]
    assert await came(db, order) == receipt, "told again, it is the same"


async def test_without_a_word_of_risk_it_is_paid_and_waits_for_it(
    db: Database, api: httpx.AsyncClient, consume: Consume, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    await came(db, order)
    await run(db, kinds)
    assert (await state_of(db, order)).status is OrderStatus.PAID

    await consume(assessed(order, "HOLD"))

    assert (await state_of(db, order)).status is OrderStatus.ON_HOLD


async def test_an_order_that_risk_wants_reviewed_waits_for_the_review(
    db: Database, api: httpx.AsyncClient, consume: Consume, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    await consume(assessed(order, "HOLD"))
    await came(db, order)

    await run(db, kinds)

    assert (await state_of(db, order)).status is OrderStatus.ON_HOLD
    assert (await news_of(db, order))[-2:] == ["OrderPaid", "OrderHeld"]


@pytest.mark.parametrize("is_first", [True, False])
async def test_what_risk_declines_is_not_revived(
    db: Database,
    api: httpx.AsyncClient,
    consume: Consume,
    kinds: dict[str, StepKind],
    is_first: bool,
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    if is_first:
        await consume(assessed(order, "DECLINE"))
    await came(db, order)
    if not is_first:
        await consume(assessed(order, "DECLINE"))

    await run(db, kinds)
    await given_back(db)

    state = await state_of(db, order)
    assert (state.status, figures(state)) == (OrderStatus.EXPIRED, (PRICE, 0, PRICE, 0))
    assert await owed(db, order) == {}


@pytest.mark.parametrize(
    ("ending", "rule", "is_kept"),
    [
        ("expired", "give_back", False),
        ("expired", "expired_or_cancelled", True),
        ("cancelled", "expired", False),
        ("cancelled", "expired_or_cancelled", True),
    ],
)
async def test_the_channel_says_which_orders_may_be_revived(
    db: Database,
    api: httpx.AsyncClient,
    kinds: dict[str, StepKind],
    ending: str,
    rule: str,
    is_kept: bool,
) -> None:
    await sells(api)
    answer = await api.patch(f"/v1/channels/{SHOP}", json={"late_payments": rule})
    assert answer.json()["late_payments"] == rule
    order = await an_ended_order(db, api, ending=ending)

    await came(db, order)
    await run(db, kinds)
    await given_back(db)

    state = await state_of(db, order)
    assert state.status.value == ("paid" if is_kept else ending)
    assert figures(state) == (PRICE, 0, *((0, PRICE) if is_kept else (PRICE, 0)))


@pytest.mark.parametrize(
    ("amount", "currency", "within"),
    [
        (PRICE - 1, "CNY", DAY),
        (PRICE + 1, "CNY", DAY),
        (PRICE, "USD", DAY),
        (PRICE, "CNY", timedelta()),
    ],
)
async def test_what_is_not_the_whole_price_in_time_goes_back_at_once(
    db: Database, api: httpx.AsyncClient, amount: int, currency: str, within: timedelta
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)

    await came(db, order, amount, currency=currency, within=within)

    assert await steps_of(db, order) == []
    [back] = await given_back(db)
    assert back.amount == Money(amount, currency)
    assert (await state_of(db, order)).status is OrderStatus.EXPIRED


async def test_the_time_is_counted_from_the_end_of_the_orders_own(
    db: Database, api: httpx.AsyncClient
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    async with db.transaction() as tx:
        old = "UPDATE orders SET pay_until = clock_timestamp() - interval '1 day'"
        await tx.execute(text(old))

    await came(db, order, within=DAY)
    await came(db, order, reference="r-2", within=DAY + timedelta(minutes=10))

    assert [status for _, status, _, _ in await payments_of(db, order)] == ["surplus", "partial"]


async def test_a_second_payment_goes_back_whatever_becomes_of_the_first(
    db: Database, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    await came(db, order)

    await came(db, order, reference="r-2")
    await run(db, kinds)
    await came(db, order, reference="r-3")
    back = await given_back(db)

    assert {it.provider_reference for it in back} == {"r-2", "r-3"}
    assert figures(await state_of(db, order)) == (3 * PRICE, 0, 2 * PRICE, PRICE)


async def test_a_words_sender_still_has_the_money(db: Database, api: httpx.AsyncClient) -> None:
    await sells(api)
    order = await an_ended_order(db, api)

    answer = await api.post(f"/v1/orders/{order.id}/payments", json=a_payment_body(order))

    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_payable")


async def test_while_it_is_looked_at_nobody_can_cancel_it(
    db: Database, api: httpx.AsyncClient
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    await came(db, order)

    answer = await api.post(f"/v1/orders/{order.id}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_cancellable")
