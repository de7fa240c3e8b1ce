"""Endpoints of merchants, things that happen, and a sender that works until it is done."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import text

from fulfillment.webhook_deliveries.jobs import WebhookSender
from fulfillment.webhook_endpoints.domain import WebhookEndpoint
from fulfillment.webhook_signatures import Scheme
from kit.ids import new_id
from kit.messaging.events import Event, topic_of, type_of
from kit.service import Service
from lockstock.common.v1.money_pb2 import Money
from lockstock.order.v1.order_events_pb2 import OrderCompleted
from tests.fulfillment.factories import MERCHANT

SECONDS_MAX = 30.0


async def an_endpoint(
    service: Service,
    url: str,
    *types: str,
    merchant_id: UUID = MERCHANT,
    schemes: Sequence[Scheme] = (Scheme.HMAC,),
) -> WebhookEndpoint:
    endpoint = WebhookEndpoint(new_id(), merchant_id, url, event_types=types)
    async with service.db.transaction() as tx:
        made: WebhookEndpoint = await service.state["webhook_endpoints"].create(
            tx, endpoint, schemes
        )
        return made


def secret_of(endpoint: WebhookEndpoint) -> str:
    return endpoint.keys[0].key.secret_text


def happened(message: Message, *, event_id: UUID | None = None) -> Event[Any]:
    """The event of a message, as the consumer gets it."""
    return Event(
        id=event_id or new_id(),
        type=type_of(type(message)),
        topic=topic_of(type(message)),
        key="key",
        version=1,
        time=datetime.now(UTC),
        merchant_id=None,
        traceparent=None,
        request_id=None,
        message=message,
    )


def completed(merchant_id: UUID = MERCHANT) -> Event[Any]:
    total = Money(amount_minor=1990, currency="CNY")
    return happened(
        OrderCompleted(order_id=str(new_id()), merchant_id=str(merchant_id), total=total)
    )


async def tell(service: Service, *events: Event[Any]) -> None:
    """Gives events of one class to the consumers, in one transaction."""
    handlers = [it for it in service.handlers if it.message_class is type(events[0].message)]
    async with service.db.transaction() as tx:
        for handler in handlers:
            await handler.fn(tx, events)


def sender_of(service: Service) -> WebhookSender:
    sender: WebhookSender = service.state["webhook_sender"]
    return sender


async def until_sent(service: Service, left: int = 0) -> None:
    """Lets the sender work until no more than `left` are pending."""
    deadline = time.monotonic() + SECONDS_MAX
    while await count(service, "webhook_delivery", "state = 'pending'") > left:
        assert time.monotonic() < deadline, await rows(service, "webhook_delivery")
        await sender_of(service).run()
        await asyncio.sleep(0.02)


async def turn(service: Service) -> None:
    """One turn of the sender, to its end."""
    sender = sender_of(service)
    await sender.run()
    running = sender._good | sender._suspect
    if running:
        await asyncio.wait(running)


async def until(is_so: Callable[[], bool], seconds: float = SECONDS_MAX) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def count(service: Service, table: str, condition: str = "true") -> int:
    async with service.db.read() as tx:
        statement = text(f"SELECT count(*) FROM {table} WHERE {condition}")  # noqa: S608 - ours
        return int((await tx.execute(statement)).scalar_one())


async def rows(service: Service, table: str) -> Sequence[Any]:
    async with service.db.read() as tx:
        return (await tx.execute(text(f"SELECT * FROM {table} LIMIT 50"))).all()  # noqa: S608


async def execute(service: Service, statement: str, **values: Any) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(text(statement), values)
