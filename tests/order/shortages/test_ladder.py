"""The ladder through the database: events in, steps made, requests out, each once."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested
from order.lines.domain import LineStatus
from order.orders.domain import Order, OrderStatus
from order.payments.jobs import pay_back
from order.provider import load_providers
from order.step_kinds import StepKind, load_kinds
from order.steps.domain import StepState
from tests.order.conftest import Consume, outside_of
from tests.order.factories import (
    a_line,
    an_order,
    delivered,
    failed,
    fulfilling,
    kinds_of,
    placed,
    state_of,
)
from tests.order.steps.making import make_due, run, steps_of
from tests.order.vaults import ScriptedVault

NOTHING_LEFT = {"result": "out_of_stock", "reservation": None, "problem": {"status": 409}}
TERMS = {
    "kind": "pool",
    "shortage": {"substitutes": ["GAME-90"], "back_order_seconds": 600},
}


@pytest.fixture
def kinds(service: Service, vault: ScriptedVault) -> dict[str, StepKind]:
    return dict(load_kinds(outside_of(service.db, vault)))


async def a_short_order(db: Database, consume: Consume, **given: Any) -> Order:
    order = await fulfilling(db, an_order(lines=[a_line(terms=TERMS, **given)]))
    assert await consume(failed(order, order.lines[0], "out_of_stock")) == []
    return order


async def a_substitute(api: httpx.AsyncClient, **given: Any) -> None:
    body = {
        "sku": "GAME-90",
        "name": "Other card",
        "fulfillment": {"kind": "pool", "pool_id": str(new_id())},
        "price": {"amount": 9990, "currency": "CNY"},
        "instructions": "Elsewhere.",
        **given,
    }
    answer = await api.post("/v1/products", json=body)
    assert answer.status_code == 201, answer.text


async def requests_of(db: Database, order: Order) -> list[FulfillmentRequested]:
    async with db.read() as tx:
        query = text("SELECT payload FROM event_log WHERE type LIKE '%Requested' ORDER BY id")
        found = [FulfillmentRequested.FromString(it) for it in (await tx.execute(query)).scalars()]
        return [message for message in found if message.order_id == str(order.id)]


async def test_a_substitute_is_delivered_at_the_price_of_the_line(
    db: Database, consume: Consume, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    await a_substitute(api, template="cards-2")
    order = await a_short_order(db, consume)

    await run(db, kinds)

    [_, again] = await requests_of(db, order)
    assert (again.round, again.lines[0].sku, again.lines[0].instead_of) == (
        2,
        "GAME-90",
        "Game card",
    )
    assert (again.lines[0].template, again.lines[0].instructions) == ("cards-2", "Elsewhere.")
    [step] = await steps_of(db, order)
    assert again.reservation_id == step.result["reservation_id"]
    await consume(delivered(order, order.lines[0], round=2))
    state = await state_of(db, order)
    assert state.status is OrderStatus.COMPLETED
    assert state.lines[0].total == order.lines[0].total
    shown = (await api.get(f"/v1/orders/{order.id}")).json()["lines"][0]
    assert shown["substitute"] == {"sku": "GAME-90", "name": "Other card"}
    assert "shortage_substitute" in await kinds_of(db, order)


@pytest.mark.parametrize("given", [{"active": False}, None])
async def test_a_substitute_that_is_not_on_sale_is_passed_over(
    db: Database,
    consume: Consume,
    api: httpx.AsyncClient,
    kinds: dict[str, StepKind],
    given: dict[str, Any] | None,
) -> None:
    if given is not None:
        await a_substitute(api)
        [product] = (await api.get("/v1/products?sku=GAME-90")).json()["items"]
        assert (await api.patch(f"/v1/products/{product['id']}", json=given)).status_code == 200
    order = await a_short_order(db, consume)

    await run(db, kinds)

    states = [(step.kind, step.state, step.last_error) for step in await steps_of(db, order)]
    assert states == [
        ("substitute", StepState.FAILED, "not_on_sale"),
        ("back_order", StepState.INTENT, ""),
    ]


async def test_stock_that_comes_in_time_is_delivered(
    db: Database, consume: Consume, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    order = await a_short_order(db, consume)
    await run(db, kinds)
    vault.results = [NOTHING_LEFT]
    await make_due(db)
    await run(db, kinds)
    assert (await state_of(db, order)).lines[0].status is LineStatus.PENDING

    await make_due(db)
    await run(db, kinds)

    again = (await requests_of(db, order))[-1]
    assert (again.round, again.lines[0].sku) == (2, "GAME-100")
    await consume(delivered(order, order.lines[0], round=2))
    assert (await state_of(db, order)).status is OrderStatus.COMPLETED


async def test_stock_that_does_not_come_leads_to_the_refund(
    db: Database, consume: Consume, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    order = await a_short_order(db, consume)
    await run(db, kinds)
    vault.results = [NOTHING_LEFT]
    await make_due(db, is_late=True)
    await run(db, kinds)
    await pay_back(db, load_providers([]), every_seconds=1)._run()

    state = await state_of(db, order)
    assert (state.status, state.refunded) == (OrderStatus.REFUNDED, order.total)
    assert len(await requests_of(db, order)) == 1


async def test_events_of_an_earlier_round_that_come_again_change_nothing(
    db: Database, consume: Consume, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    await a_substitute(api)
    order = await a_short_order(db, consume)
    await run(db, kinds)
    before = await state_of(db, order), await kinds_of(db, order)

    await consume(failed(order, order.lines[0], "out_of_stock"))

    assert (await state_of(db, order), await kinds_of(db, order)) == before
    assert len(await steps_of(db, order)) == 1


async def test_the_database_lets_a_round_begin_only_once_and_never_after_a_refund(
    db: Database, consume: Consume
) -> None:
    order = await placed(db)
    begin = "UPDATE order_line SET status = 'pending', round = round + 1"

    for illegal in (
        "UPDATE order_line SET round = round + 2",
        "UPDATE order_line SET round = round - 1",
        "UPDATE order_line SET round = round + 1, status = 'delivered'",
    ):
        with pytest.raises(IntegrityError, match="cannot begin round"):
            async with db.transaction() as tx:
                await tx.execute(text(illegal))
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE order_line SET status = 'unknown'"))
        await tx.execute(text(begin))
        await tx.execute(text("UPDATE order_line SET status = 'failed'"))
        await tx.execute(text(begin))
        await tx.execute(text("DELETE FROM order_line"))
    order = await fulfilling(db)
    await consume(failed(order, order.lines[0]))
    with pytest.raises(IntegrityError, match="cannot begin round"):
        async with db.transaction() as tx:
            await tx.execute(text(begin))
