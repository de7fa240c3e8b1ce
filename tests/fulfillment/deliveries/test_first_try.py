"""Orders whose units are claimed before anything about them is written down here."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from kit.messaging.events import Event
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested
from tests.fulfillment.conftest import dispatch, published
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.real_vault import RealVault
from tests.stack.statements import noted_statements


class _Lost(Exception):
    """The transaction came to nothing."""


async def _receive(
    service: Service, *events: Event[FulfillmentRequested], is_lost: bool = False
) -> None:
    """As the consumer does: the vault first, then one transaction."""
    handler = next(it for it in service.handlers if it.message_class is FulfillmentRequested)
    assert handler.before is not None
    made = await handler.before(events)
    async with service.db.transaction() as tx:
        given = [replace(it, prepared=one) for it, one in zip(events, made, strict=True)]
        await handler.fn(tx, given)
        if is_lost:
            raise _Lost


async def _order(vault: RealVault, pool: Any, quantity: int = 1) -> Event[FulfillmentRequested]:
    hold = await vault.hold((pool, quantity))
    return a_request(reservation_id=hold, lines=[a_line(pool_id=str(pool), quantity=quantity)])


async def _states(service: Service) -> list[tuple[str, str]]:
    async with service.db.read() as tx:
        rows = await tx.execute(
            text(
                "SELECT t.state AS task, d.state FROM task t JOIN delivery d ON d.task_id = t.id "
                "ORDER BY t.id"
            )
        )
        return [(row.task, row.state) for row in rows]


async def test_orders_are_delivered_in_the_transaction_that_learns_of_them(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock([f"TRY-ONCE-{n:04}-XYZ" for n in range(5)])
    await _receive(served, await _order(vault, pool, 2), await _order(vault, pool))

    assert await _states(served) == [("done", "delivered")] * 2
    events: list[Any] = await published(served)
    assert sorted(len(event.units) for event in events) == [1, 2]
    assert (await vault.levels(pool))["sold"] == 3


async def test_a_transaction_that_is_lost_sells_nothing_twice(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock([f"TRY-TWICE-{n:04}-XYZ" for n in range(3)])
    order = await _order(vault, pool, 2)
    for _ in range(2):
        with pytest.raises(_Lost):
            await _receive(served, order, is_lost=True)
    assert await published(served) == []
    await _receive(served, order)
    await _receive(served, order)

    assert len(await published(served)) == 1
    levels = await vault.levels(pool)
    assert (levels["sold"], levels["available"]) == (2, 1)


async def test_a_silent_vault_leaves_tasks_for_later_and_is_not_waited_for_again_at_once(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock([f"TRY-SILENT-{n:04}-XYZ" for n in range(2)])
    first, second = await _order(vault, pool), await _order(vault, pool)
    vault.line.is_cut = True
    await _receive(served, first)
    vault.line.is_cut = False
    await _receive(served, second)
    assert await _states(served) == [("pending", "pending")] * 2
    await dispatch(served)

    assert await _states(served) == [("done", "delivered")] * 2
    assert (await vault.levels(pool))["sold"] == 2


async def test_an_answer_that_got_lost_is_asked_for_again_by_the_task(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock([f"TRY-GONE-{n:04}-XYZ" for n in range(3)])
    vault.line.lose_answer(1)
    await _receive(served, await _order(vault, pool, 2))
    assert await _states(served) == [("pending", "pending")]
    await dispatch(served)

    assert len(await published(served)) == 1
    assert (await vault.levels(pool))["sold"] == 2


async def test_a_lost_hold_is_left_to_its_task_and_its_neighbours_are_delivered(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock([f"TRY-LEFT-{n:04}-XYZ" for n in range(4)])
    lost, good = await _order(vault, pool), await _order(vault, pool)
    await vault.release(lost.message.reservation_id)
    await _receive(served, lost, good)
    assert sorted(await _states(served)) == [("done", "delivered"), ("pending", "pending")]
    await dispatch(served)

    assert await _states(served) == [("done", "delivered")] * 2


async def test_many_orders_take_the_statements_of_one(served: Service, vault: RealVault) -> None:
    async def received(number: int) -> Sequence[str]:
        pool = await vault.stock([f"TRY-MANY-{number}-{n:04}-XYZ" for n in range(number)])
        orders = [await _order(vault, pool) for _ in range(number)]
        with noted_statements() as noted:
            await _receive(served, *orders)
        return [it for it in noted if "delivery" in it or "event_log" in it]

    assert await received(1) == await received(20)
