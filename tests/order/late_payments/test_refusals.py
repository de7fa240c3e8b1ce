"""What is not to be sold any more is not revived: the late price goes back."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested
from order.orders.domain import Order, OrderStatus
from order.step_kinds import StepKind
from order.steps.domain import StepState
from tests.order.conftest import Consume
from tests.order.factories import (
    POOL,
    SHOP,
    assessed,
    failed,
    kinds_of,
    state_of,
)
from tests.order.late_payments.making import (
    DAY,
    PRICE,
    an_ended_order,
    came,
    owed,
    sells,
)
from tests.order.payments.test_service import events_of, figures, given_back
from tests.order.steps.making import make_due, run, steps_of
from tests.order.vaults import ScriptedVault

_YESTERDAY = (datetime.now(UTC) - DAY).isoformat()
_SOLD_OUT = {
    "result": "out_of_stock",
    "reservation": None,
    "problem": {"status": 409, "lines": [{"line_no": 1, "requested": 1, "available": 0}]},
}


async def _refused_because(db: Database, order: Order, kinds: dict[str, StepKind]) -> str:
    """The price goes back, and the timeline says why."""
    await came(db, order)
    await run(db, kinds)
    await given_back(db)
    state = await state_of(db, order)
    assert (state.status, figures(state)[2:]) == (
        OrderStatus.EXPIRED,
        (state.total.amount_minor, 0),
    )
    assert await owed(db, order) == {}
    query = text("SELECT details FROM order_timeline WHERE kind = 'late_payment_refused'")
    async with db.read() as tx:
        return str((await tx.execute(query)).scalar_one()["reason"])


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"active": False}, "not_on_sale"),
        ({"sale_until": _YESTERDAY}, "not_on_sale"),
        ({"cost": {"amount": PRICE + 1, "currency": "CNY"}}, "below_margin_floor"),
        ({"regions": {"refused": ["CN"]}}, "region_required"),
        ({"limits": [{"per": "device", "quantity": 1, "window_hours": 1}]}, "limit_needs"),
    ],
)
async def test_what_could_not_be_placed_today_is_not_revived(
    db: Database,
    api: httpx.AsyncClient,
    vault: ScriptedVault,
    kinds: dict[str, StepKind],
    edit: dict[str, Any],
    why: str,
) -> None:
    product = await sells(api)
    order = await an_ended_order(db, api)
    answer = await api.patch(f"/v1/products/{product['id']}", json=edit)
    assert answer.status_code == 200, answer.text
    before = vault.holds

    assert await _refused_because(db, order, kinds) == why
    assert vault.holds == before, "nothing was held for it"


async def test_a_channel_that_is_closed_revives_nothing(
    db: Database, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    await api.patch(f"/v1/channels/{SHOP}", json={"active": False})

    assert await _refused_because(db, order, kinds) == "channel_closed"


async def test_a_dearer_price_of_today_does_not_count(
    db: Database, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    product = await sells(api)
    order = await an_ended_order(db, api)
    price = {"price": {"amount": 9 * PRICE, "currency": "CNY"}}
    await api.patch(f"/v1/products/{product['id']}", json=price)

    await came(db, order)
    await run(db, kinds)

    state = await state_of(db, order)
    assert (state.status, state.total.amount_minor) == (OrderStatus.PAID, PRICE)


async def test_the_first_hold_goes_back_before_the_new_one_is_asked_for(
    db: Database, api: httpx.AsyncClient, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    assert list(vault.holds.values()) == [str(order.reservation_id)]
    await came(db, order)
    vault.calls.clear()

    await run(db, kinds)

    assert [path for path, _ in vault.calls] == [
        f"/v1/reservations/{order.reservation_id}/release",
        "/v1/reservations/batch",
    ]


async def test_a_silent_vault_is_asked_again_and_the_money_is_open_meanwhile(
    db: Database, api: httpx.AsyncClient, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    await came(db, order)
    vault.silences = 3

    await run(db, kinds)
    assert figures(await state_of(db, order)) == (PRICE, 0, 0, PRICE)
    assert (await steps_of(db, order))[0].state is StepState.UNKNOWN
    vault.silences = 0
    await make_due(db)
    await run(db, kinds)

    assert (await state_of(db, order)).status is OrderStatus.PAID


async def test_without_stock_and_without_a_ladder_the_price_goes_back(
    db: Database, api: httpx.AsyncClient, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    vault.results = [_SOLD_OUT]

    assert await _refused_because(db, order, kinds) == "out_of_stock"


async def test_without_stock_the_merchants_ladder_is_climbed(
    db: Database,
    api: httpx.AsyncClient,
    consume: Consume,
    vault: ScriptedVault,
    kinds: dict[str, StepKind],
) -> None:
    shortage = {"substitutes": [], "back_order_seconds": 600}
    await sells(api, fulfillment={"kind": "pool", "pool_id": str(POOL), "shortage": shortage})
    order = await an_ended_order(db, api)
    await consume(assessed(order))
    await came(db, order)
    vault.results = [_SOLD_OUT]

    await run(db, kinds)
    [request] = await events_of(db, order, FulfillmentRequested)
    assert request.reservation_id == str(order.reservation_id)
    state = await state_of(db, order)
    await consume(failed(state, state.lines[0], "out_of_stock"))

    told = await kinds_of(db, order)
    assert told[-2:] == ["line_failed", "shortage_back_order"]
    assert figures(await state_of(db, order)) == (PRICE, 0, 0, PRICE)


async def test_an_operator_gives_the_money_back_instead_of_waiting(
    db: Database, api: httpx.AsyncClient
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    await came(db, order)
    [wait] = (await api.get("/v1/waits")).json()["items"]

    answer = await api.post(f"/v1/waits/{wait['id']}/refund", json={"reason": "buyer asked"})
    assert answer.status_code == 200, answer.text
    await given_back(db)

    state = await state_of(db, order)
    assert (state.status, figures(state)) == (OrderStatus.EXPIRED, (PRICE, 0, PRICE, 0))


async def test_a_limit_counts_revived_orders_and_refuses_those_that_do_not_fit(
    db: Database, api: httpx.AsyncClient, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    limit = {"per": "buyer", "quantity": 1, "window_hours": 24}
    await sells(api, limits=[limit])
    late = [await an_ended_order(db, api) for _ in range(6)]
    await asyncio.gather(*(came(db, order, reference=f"r-{order.id}") for order in late))

    await run(db, kinds)
    await given_back(db)
    await run(db, kinds)  # what was held for nothing goes back

    states = [(await state_of(db, order)).status for order in late]
    assert sorted(states) == [OrderStatus.EXPIRED] * 5 + [OrderStatus.PAID]
    assert len(vault.holds) == 1
    another = {"channel_id": str(SHOP), "reference": "x", "customer": {"id": "buyer-7"}}
    body = {**another, "lines": [{"sku": "GAME-100", "quantity": 1}]}
    assert (await api.post("/v1/orders", json=body)).json()["code"] == "limit_reached"


async def test_a_coupon_is_used_again_while_it_lasts(
    db: Database, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    coupon = {
        "name": "Spring",
        "effect": {"kind": "amount_off", "amount": {"amount": 500, "currency": "CNY"}},
        "code": "SPRING5",
        "uses_max": 1,
    }
    made = (await api.post("/v1/coupons", json=coupon)).json()
    first = await an_ended_order(db, api, coupon_codes=["SPRING5"])
    second = await an_ended_order(db, api, coupon_codes=["SPRING5"])
    assert first.total.amount_minor == second.total.amount_minor == PRICE - 500
    for order in (first, second):
        await came(db, order, reference=f"r-{order.id}")

    await run(db, kinds)
    await given_back(db)

    states = sorted([(await state_of(db, order)).status for order in (first, second)])
    assert states == [OrderStatus.EXPIRED, OrderStatus.PAID]
    shown = (await api.get(f"/v1/coupons/{made['id']}")).json()
    assert (shown["uses"], shown["given"]) == (1, 500)


async def test_bundles_are_held_by_their_components_and_checked_whole(
    db: Database, api: httpx.AsyncClient, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    await sells(api, cost={"amount": 1000, "currency": "CNY"})
    await sells(api, sku="GAME-50", cost={"amount": 400, "currency": "CNY"})
    parts = [{"sku": "GAME-100", "quantity": 1}, {"sku": "GAME-50", "quantity": 2}]
    bundle = {"kind": "bundle", "policy": "partial", "components": parts}
    await sells(api, sku="PACK", fulfillment=bundle)
    order = await an_ended_order(db, api, lines=[{"sku": "PACK", "quantity": 2}])
    await came(db, order)
    vault.calls.clear()

    await run(db, kinds)

    assert (await state_of(db, order)).status is OrderStatus.PAID
    [item] = vault.calls[-1][1]["items"]
    assert sorted(line["quantity"] for line in item["lines"]) == [2, 4]
