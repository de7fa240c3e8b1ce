"""Orders whose buyers are told something: set up, let run, look at."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from uuid import UUID

from sqlalchemy import text

from fulfillment.app import create_service
from fulfillment.messages.domain import Wanted
from fulfillment.settings import Settings
from kit.messaging.events import Event
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested
from tests.fulfillment.conftest import acceptor
from tests.fulfillment.factories import MERCHANT
from tests.fulfillment.mailbox import Mailbox

SHOP = "shop@shop.example"


def smtp_account(box: Mailbox, **settings: Any) -> dict[str, Any]:
    return {
        "sender": "smtp",
        "settings": {
            "host": "127.0.0.1",
            "port": box.port,
            "security": "none",
            "from_address": SHOP,
            "from_name": "The Shop",
            "bounces_to": "bounces@shop.example",
            "timeout_seconds": 5,
            **settings,
        },
    }


def telling_with(settings: Settings, accounts: Sequence[dict[str, Any]], **given: Any) -> Settings:
    """`accounts` are this service's own senders: no inbox but when it is among them."""
    with NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(list(accounts), file)
    return Settings.model_validate(
        {
            **settings.model_dump(),
            "message_inbox": False,
            "message_senders": Path(file.name),
            **given,
        }
    )


@asynccontextmanager
async def running(settings: Settings, **given: Any) -> AsyncIterator[Service]:
    service = create_service(settings, **given)
    try:
        yield service
    finally:
        for close in service.closing:
            await close()
        await service.db.close()


async def accept(service: Service, *orders: Event[FulfillmentRequested]) -> None:
    await acceptor(service)(*orders)


async def tell(service: Service, order_id: str, purpose: str = "delivered", **given: Any) -> None:
    wanted = Wanted(MERCHANT, UUID(order_id), purpose, **given)
    async with service.db.transaction() as tx:
        await service.state["messages"].send(tx, wanted)


async def run_jobs(service: Service, *names: str) -> None:
    """Lets these jobs work until nothing is due."""
    for job in service.jobs:
        if job.name in names:
            while await job._run():
                pass


@asynccontextmanager
async def running_jobs(service: Service, *names: str) -> AsyncIterator[None]:
    """These jobs run by themselves, as in a worker."""
    jobs = [job for job in service.jobs if job.name in names]
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(job.run())
        try:
            yield
        finally:
            for job in jobs:
                job.stop()


async def send(service: Service) -> None:
    """Tells and sends what is due; what is due again at once by another channel, too."""
    await run_jobs(service, "tell", "send-messages")


async def end_pauses(service: Service) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE message SET due_at = clock_timestamp()"))


async def messages(service: Service) -> list[Any]:
    async with service.db.read() as tx:
        found = await service.state["messages"].list_messages(
            tx,
            MERCHANT,
            {"order_id": None, "state": None, "channel": None},
            after=None,
            limit=1000,
        )
        return list(reversed(found))


async def until(service: Service, *states: str, seconds: float = 30.0) -> list[Any]:
    """Sends, without waiting for pauses, until every message is in one of these states."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await send(service)
        found = await messages(service)
        if found and all(message.state in states for message in found):
            return found
        await end_pauses(service)
        await asyncio.sleep(0.02)
    raise AssertionError(await messages(service))
