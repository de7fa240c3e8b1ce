"""Sending: signed, tried again, two at a time, switched off, and a silent neighbour."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from fulfillment.settings import Settings
from fulfillment.webhook_signatures import Scheme
from kit.service import Service
from lockstock.fulfillment.v1.webhook_events_pb2 import WebhookEndpointDisabled
from lockstock_client import WebhookVerifier
from tests.fulfillment.conftest import published
from tests.fulfillment.factories import OTHER_MERCHANT
from tests.fulfillment.receiver import Receiver, always, running_receiver, running_silence
from tests.fulfillment.webhooks import (
    an_endpoint,
    completed,
    count,
    execute,
    rows,
    secret_of,
    tell,
    turn,
    until,
    until_sent,
)


async def test_an_event_reaches_each_endpoint_that_wants_it_once_and_verifies(service: Service):
    async with running_receiver() as receiver:
        both = (Scheme.HMAC, Scheme.ED25519)
        mine = await an_endpoint(service, receiver.url, schemes=both)
        await an_endpoint(service, receiver.url, "stock.low")
        await an_endpoint(service, receiver.url, merchant_id=OTHER_MERCHANT)
        receiver.secrets = [secret_of(mine)]
        event = completed()

        await tell(service, event)
        await tell(service, event)
        await until_sent(service)

    [(message_id, [body])] = receiver.bodies.items()
    assert message_id == str(event.id)
    assert receiver.forged == []
    assert orjson.loads(body) == {
        "type": "order.completed",
        "timestamp": event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {
            "order_id": event.message.order_id,
            "channel_id": "",
            "status": "completed",
            "total": {"amount": 1990, "currency": "CNY"},
        },
    }
    for key in mine.keys:
        known = key.key.public_text or key.key.secret_text
        assert WebhookVerifier(known).verify(receiver.headers[0], body).type == "order.completed"


async def test_one_that_fails_is_sent_again_to_the_byte_under_the_same_id(service: Service):
    async with running_receiver() as receiver:
        receiver.secrets = [secret_of(await an_endpoint(service, receiver.url))]
        receiver.answering = lambda _, nth: (
            "500 X\r\nContent-Length: 0\r\n" if nth < 4 else "200 OK\r\nContent-Length: 0\r\n"
        )
        await tell(service, completed())
        await until_sent(service)

    [bodies] = receiver.bodies.values()
    assert len(bodies) == 4
    assert len(set(bodies)) == 1
    assert receiver.forged == []
    attempts = await rows(service, "webhook_attempt")
    assert sorted((it.attempt_no, it.status, it.reason) for it in attempts) == [
        (1, 500, "http_500"),
        (2, 500, "http_500"),
        (3, 500, "http_500"),
        (4, 200, ""),
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("301 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n", "http_301"),
        ("404 X\r\nContent-Length: 0\r\n", "http_404"),
        ("200 OK\r\nContent-Length: 99999999\r\n", "no_answer"),
        ("nonsense", "no_answer"),
    ],
)
async def test_after_ten_tries_it_has_failed_and_says_why(
    service: Service, answer: str, reason: str
):
    service.state["webhook_sender"]._timeout = timedelta(seconds=0.3)
    async with running_receiver(Receiver(answering=lambda _id, _nth: answer)) as receiver:
        await an_endpoint(service, receiver.url)
        await tell(service, completed())
        await until_sent(service)

    [delivery] = await rows(service, "webhook_delivery")
    assert (delivery.state, delivery.attempts, delivery.last_reason) == ("failed", 10, reason)
    [bodies] = receiver.bodies.values()
    assert len(bodies) == 10
    assert await count(service, "webhook_attempt") == 10


async def test_nobody_there_is_a_failed_attempt_like_any_other(service: Service):
    await an_endpoint(service, "http://127.0.0.1:1/hooks")
    await tell(service, completed())
    await until_sent(service)

    [delivery] = await rows(service, "webhook_delivery")
    assert (delivery.state, delivery.last_reason) == ("failed", "not_reached")


async def test_an_address_that_must_not_be_called_is_not(service: Service):
    endpoint = await an_endpoint(service, "http://127.0.0.1:1/hooks")
    await execute(
        service,
        "UPDATE webhook_endpoint SET url = 'http://169.254.169.254/' WHERE id = :id",
        id=endpoint.id,
    )
    await tell(service, completed())
    await until_sent(service)

    [delivery] = await rows(service, "webhook_delivery")
    assert (delivery.state, delivery.last_reason) == ("failed", "address_not_allowed")


async def test_no_more_than_two_calls_to_an_endpoint_are_under_way(service: Service):
    async with running_receiver() as receiver:
        await an_endpoint(service, receiver.url)
        await tell(service, *(completed() for _ in range(100)))
        await until_sent(service)

    assert len(receiver.accepted) == 100
    assert 1 <= receiver.at_once_most <= 2


async def test_an_endpoint_that_is_gone_is_switched_off_and_its_owner_is_told(service: Service):
    async with running_receiver(Receiver(answering=always("410 Gone"))) as receiver:
        gone = await an_endpoint(service, receiver.url)
        await tell(service, completed())
        await tell(service, completed())
        await turn(service)

        [told] = await published(service)
        assert isinstance(told, WebhookEndpointDisabled)
        assert (told.endpoint_id, told.reason) == (str(gone.id), "gone")
        assert len(receiver.headers) <= 2
        # What happens now is noted and not sent.
        await tell(service, completed())
        await turn(service)
        assert len(receiver.headers) <= 2
    [endpoint] = await rows(service, "webhook_endpoint")
    assert (endpoint.is_enabled, endpoint.disabled_because) == (False, "gone")
    assert await count(service, "webhook_delivery", "state = 'missed'") == 1


async def test_five_days_without_one_success_switch_an_endpoint_off(service: Service):
    async with running_receiver(Receiver(answering=always("500 X"))) as receiver:
        endpoint = await an_endpoint(service, receiver.url)
        for days, is_enabled in ((4.9, True), (5.1, False)):
            await tell(service, completed())
            await turn(service)
            await execute(
                service,
                "UPDATE webhook_endpoint SET opens_at = clock_timestamp(), "
                "failing_since = clock_timestamp() - make_interval(hours => :hours)",
                hours=int(days * 24),
            )
            await tell(service, completed())
            await turn(service)
            [found] = await rows(service, "webhook_endpoint")
            assert found.is_enabled is is_enabled

    assert found.disabled_because == "failing"
    [told] = await published(service)
    assert (told.endpoint_id, told.reason) == (str(endpoint.id), "failing")  # type: ignore[attr-defined] # of the one class


async def test_a_success_ends_the_days_of_failing(service: Service):
    async with running_receiver(Receiver(answering=always("500 X"))) as receiver:
        await an_endpoint(service, receiver.url)
        await tell(service, completed())
        await turn(service)
        [before] = await rows(service, "webhook_endpoint")
        receiver.answering = always("204 OK")
        await until_sent(service)
        [after] = await rows(service, "webhook_endpoint")

    assert before.failures > 0
    assert before.failing_since is not None
    assert (after.failures, after.failing_since) == (0, None)
    assert after.last_success_at is not None


async def test_a_pause_that_the_receiver_asks_for_is_kept(service: Service):
    async with running_receiver() as receiver:
        receiver.answering = always("429 X\r\nRetry-After: 3000")
        await an_endpoint(service, receiver.url)
        await tell(service, *(completed() for _ in range(5)))
        await turn(service)
        await turn(service)
        await turn(service)

        # One call of each lane was under way; then both rest.
        assert 1 <= len(receiver.headers) <= 2
        [endpoint] = await rows(service, "webhook_endpoint")
        pause = endpoint.opens_at - endpoint.failing_since
        assert 2_900 < pause.total_seconds() < 3_100


async def test_a_lane_whose_worker_died_is_taken_again(service: Service):
    async with running_receiver() as receiver:
        await an_endpoint(service, receiver.url)
        event = completed()
        await tell(service, event)
        async with service.db.transaction() as tx:
            deliveries = service.state["webhook_deliveries"]
            [lane, _] = await deliveries.take_lanes(tx, are_suspect=False, limit=10)
            batch = await deliveries.next_batch(tx, lane)
            assert batch is not None
        await execute(service, "UPDATE webhook_lane SET lease_ends_at = lease_ends_at + '1 hour'")
        await execute(service, "UPDATE webhook_delivery SET due_at = due_at + '1 hour'")
        await turn(service)
        assert receiver.headers == []

        await execute(service, "UPDATE webhook_lane SET lease_ends_at = clock_timestamp()")
        await execute(service, "UPDATE webhook_delivery SET due_at = clock_timestamp()")
        await until_sent(service)
        # The dead one comes back: what it says now is not written down.
        async with service.db.transaction() as tx:
            await deliveries.record(tx, lane, batch.url, [])
            assert await deliveries.next_batch(tx, lane) is None

    assert receiver.accepted == {str(event.id)}
    assert await count(service, "webhook_delivery", "state = 'delivered'") == 1


async def test_many_senders_at_once_send_each_webhook_once(service: Service):
    async with running_receiver() as receiver:
        await an_endpoint(service, receiver.url)
        await tell(service, *(completed() for _ in range(40)))
        await asyncio.gather(*(turn(service) for _ in range(8)))
        await until_sent(service)

    assert [len(bodies) for bodies in receiver.bodies.values()] == [1] * 40
    assert receiver.at_once_most <= 2


async def test_silent_endpoints_leave_lanes_for_the_others(settings: Settings, service: Service):
    """More silent endpoints than there are lanes for those that fail."""
    sender: Any = service.state["webhook_sender"]
    sender._lanes_max = 8
    async with running_silence() as silence, running_receiver() as receiver:
        merchant = OTHER_MERCHANT
        for _ in range(12):
            await an_endpoint(service, silence, merchant_id=merchant)
        await execute(
            service,
            "UPDATE webhook_endpoint SET failures = 3, failing_since = clock_timestamp()",
        )
        await an_endpoint(service, receiver.url)
        await tell(service, completed(merchant))
        await sender.run()
        assert len(sender._suspect) == 4

        await tell(service, completed())
        await sender.run()
        await until(lambda: bool(receiver.accepted))
