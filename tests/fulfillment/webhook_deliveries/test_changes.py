"""An endpoint that is changed while webhooks for it are under way, or heard by two lanes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fulfillment.webhook_deliveries.domain import Answered
from fulfillment.webhook_deliveries.service import BATCH_MAX
from fulfillment.webhook_endpoints.domain import WebhookEndpoint
from kit.service import Service
from tests.fulfillment.receiver import Receiver, always, running_receiver
from tests.fulfillment.webhooks import (
    an_endpoint,
    completed,
    execute,
    rows,
    sender_of,
    tell,
    until,
)


async def test_a_url_that_was_changed_is_where_the_next_webhooks_go(service: Service):
    async with running_receiver() as old, running_receiver() as new:
        endpoint = await an_endpoint(service, old.url)
        old.opens = asyncio.Event()
        await tell(service, *(completed() for _ in range(100)))
        sender = sender_of(service)
        await sender.run()
        await until(lambda: old.at_once == 2)
        await change(service, endpoint, url=new.url)
        old.opens.set()
        await asyncio.wait(sender._good | sender._suspect)

    # Each of two lanes had a batch.
    assert len(old.accepted) == 2 * BATCH_MAX
    assert len(new.accepted) == 100 - 2 * BATCH_MAX


async def test_what_a_former_url_answers_says_nothing_of_the_present_one(service: Service):
    async with running_receiver(Receiver(answering=always("410 Gone"))) as old:
        endpoint = await an_endpoint(service, old.url)
        old.opens = asyncio.Event()
        await tell(service, completed())
        sender = sender_of(service)
        await sender.run()
        await until(lambda: old.at_once == 1)
        await change(service, endpoint, url="http://127.0.0.1:1/hooks")
        old.opens.set()
        await asyncio.wait(sender._good | sender._suspect)

    [found] = await rows(service, "webhook_endpoint")
    assert (found.is_enabled, found.failures) == (True, 0)


async def change(service: Service, endpoint: WebhookEndpoint, **values: Any) -> None:
    async with service.db.transaction() as tx:
        endpoints = service.state["webhook_endpoints"]
        await endpoints.change(tx, endpoint.merchant_id, endpoint.id, values)


async def test_a_pause_that_was_asked_for_outlasts_what_the_other_lane_hears(service: Service):
    await an_endpoint(service, "http://127.0.0.1:1/hooks")
    await tell(service, *(completed() for _ in range(BATCH_MAX + 1)))
    deliveries = service.state["webhook_deliveries"]
    async with service.db.transaction() as tx:
        first, second = await deliveries.take_lanes(tx, are_suspect=False, limit=2)
        asks_for_patience = await deliveries.next_batch(tx, first)
        fails = await deliveries.next_batch(tx, second)
    for batch, answered in (
        (asks_for_patience, Answered(429, "http_429", timedelta(minutes=50))),
        (fails, Answered(500, "http_500")),
    ):
        result = deliveries.result(batch.deliveries[0], answered, timedelta(0))
        async with service.db.transaction() as tx:
            await deliveries.record(tx, batch.lane, batch.url, [result])

    [endpoint] = await rows(service, "webhook_endpoint")
    assert endpoint.opens_at > datetime.now(UTC) + timedelta(minutes=45)


@pytest.mark.parametrize("tries", [3, 9])
async def test_one_that_shall_be_sent_again_is_so_though_an_attempt_fails_meanwhile(
    service: Service, tries: int
):
    endpoint = await an_endpoint(service, "http://127.0.0.1:1/hooks")
    await tell(service, completed())
    await execute(
        service, "UPDATE webhook_delivery SET tries = :tries, attempts = :tries", tries=tries
    )
    deliveries = service.state["webhook_deliveries"]
    async with service.db.transaction() as tx:
        [lane, _] = await deliveries.take_lanes(tx, are_suspect=False, limit=2)
        batch = await deliveries.next_batch(tx, lane)
    [due] = batch.deliveries
    async with service.db.transaction() as tx:
        await deliveries.redeliver(tx, endpoint.merchant_id, due.id)
    deliveries._pace = replace(deliveries._pace, factor=1.0)
    result = deliveries.result(due, Answered(500, "http_500"), timedelta(0))
    async with service.db.transaction() as tx:
        await deliveries.record(tx, lane, batch.url, [result])

    [found] = await rows(service, "webhook_delivery")
    assert (found.state, found.tries, found.attempts) == ("pending", 1, tries + 1)
    assert found.due_at <= datetime.now(UTC)
