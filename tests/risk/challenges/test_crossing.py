"""A challenge that ends in the moment in which its order ends."""

import asyncio

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import OrderCancelled, OrderExpired
from tests.risk.challenges.conftest import Buying, event_of

_WAITING = text("""
    SELECT count(*) AS number FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
""")


@pytest.mark.parametrize("message_class", [OrderCancelled, OrderExpired])
async def test_nobody_is_asked_about_an_order_that_ended_while_its_challenge_did(
    client: httpx.AsyncClient,
    buying: Buying,
    message_class: type[OrderCancelled] | type[OrderExpired],
) -> None:
    service = buying.service
    message = message_class(order_id=buying.order_id)
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE challenge SET expires_at = clock_timestamp()"))

    async with service.db.transaction() as tx:
        assert await service.state["challenges"].expire(tx, 10) == 1
        ending = asyncio.create_task(hear_together(service, message, buying.order_id))
        await until_it_waits(service.db)
    await ending

    reviews = (await client.get("/v1/reviews")).json()["items"]
    assert [it["status"] for it in reviews] == ["lapsed"]


async def hear_together(
    service: Service, message: OrderCancelled | OrderExpired, order_id: str
) -> None:
    """All handlers of the message in one transaction and in their order, as the consumer does."""
    event = event_of(message, order_id)
    async with service.db.transaction() as tx:
        for handler in service.handlers:
            if handler.message_class is type(message):
                await handler.fn(tx, [event])


async def until_it_waits(db: Database) -> None:
    async with asyncio.timeout(10):
        while True:
            async with db.read() as tx:
                if (await tx.execute(_WAITING)).scalar_one():
                    return
            await asyncio.sleep(0.01)
