"""Stock that comes back wakes the lines that wait for it, whoever has waited longest first."""

from typing import Any

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from lockstock.inventory_vault.v1.stock_events_pb2 import StockImported, StockOut
from order.orders.domain import Order
from order.step_kinds import StepKind, load_kinds
from order.steps.domain import StepState
from order.stock import jobs
from order.vault import Vault
from tests.order.conftest import Consume, outside_of
from tests.order.factories import MERCHANT, POOL, a_line, an_event, an_order, failed, fulfilling
from tests.order.steps.making import make_due, run, steps_of
from tests.order.vaults import ScriptedVault

NOTHING_LEFT = {"result": "out_of_stock", "reservation": None, "problem": {"status": 409}}
TERMS = {"kind": "pool", "shortage": {"substitutes": [], "back_order_seconds": 600}}


@pytest.fixture
def kinds(service: Service, vault: ScriptedVault) -> dict[str, StepKind]:
    return dict(load_kinds(outside_of(service.db, vault)))


@pytest.fixture
async def waiting(
    db: Database, consume: Consume, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> list[Order]:
    """Three orders, of 1, 2 and 1 units, that have asked in vain and rest for minutes."""
    orders = []
    for quantity in (1, 2, 1):
        order = await fulfilling(db, an_order(lines=[a_line(terms=TERMS, quantity=quantity)]))
        await consume(failed(order, order.lines[0], "out_of_stock"))
        orders.append(order)
    for _ in range(4):
        vault.results = [NOTHING_LEFT] * 3
        await make_due(db)
        await run(db, kinds)
    return orders


def imported(quantity: int, pool: Any = POOL) -> Any:
    message = StockImported(pool_id=str(pool), merchant_id=str(MERCHANT), quantity=quantity)
    return an_event(message, pool)


async def held(db: Database, orders: list[Order]) -> list[bool]:
    steps = [(await steps_of(db, order))[-1] for order in orders]
    return [step.state is StepState.OK for step in steps]


async def test_units_that_come_are_asked_for_at_once_by_as_many_as_they_suffice_for(
    db: Database, consume: Consume, kinds: dict[str, StepKind], waiting: list[Order]
) -> None:
    await run(db, kinds)
    assert await held(db, waiting) == [False, False, False]

    await consume(imported(1), imported(1))
    await run(db, kinds)
    assert await held(db, waiting) == [True, True, False]

    await consume(imported(5))
    await run(db, kinds)
    assert await held(db, waiting) == [True, True, True]


async def test_units_of_another_pool_wake_nobody(
    db: Database, consume: Consume, kinds: dict[str, StepKind], waiting: list[Order]
) -> None:
    await consume(imported(5, new_id()))

    await run(db, kinds)

    assert await held(db, waiting) == [False, False, False]


async def test_units_that_come_back_without_an_event_wake_too(
    db: Database,
    consume: Consume,
    vault: ScriptedVault,
    kinds: dict[str, StepKind],
    waiting: list[Order],
) -> None:
    await consume(an_event(StockOut(pool_id=str(POOL), merchant_id=str(MERCHANT)), POOL))
    client = outside_of(db, OnShelf()).vault

    await jobs.ask_for_stock(db, client, every_seconds=1, ask_seconds=0)._run()
    await run(db, kinds)

    assert isinstance(client, Vault)
    assert await held(db, waiting) == [True, True, True]


class OnShelf(ScriptedVault):
    """Has nine units of every pool."""

    def _pool(self, pool_id: str) -> Any:
        answer = super()._pool(pool_id)
        return type(answer)(200, json={"id": pool_id, "levels": {"available": 9}})


async def test_a_step_that_somebody_holds_is_passed_over(
    db: Database, consume: Consume, waiting: list[Order]
) -> None:
    async with db.transaction() as tx:
        first = "SELECT id FROM saga_step ORDER BY created_at, id LIMIT 1 FOR UPDATE"
        await tx.execute(text(first))

        assert await consume(imported(5)) == []

    due = "SELECT count(*) FROM saga_step WHERE state = 'intent' AND next_at <= clock_timestamp()"
    async with db.read() as tx:
        assert (await tx.execute(text(due))).scalar_one() == 2
