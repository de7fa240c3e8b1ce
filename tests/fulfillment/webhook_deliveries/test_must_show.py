"""Many webhooks to a receiver that fails, real workers killed in the middle, a silent neighbour.

LOCKSTOCK_WEBHOOKS sets how many (400; the goal is 10,000).
"""

import asyncio
import os
import random
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from fulfillment.settings import Settings
from kit.ids import new_id
from kit.periodic import Periodic
from kit.service import Service
from tests.fulfillment.factories import MERCHANT, OTHER_MERCHANT
from tests.fulfillment.receiver import OK, Receiver, running_receiver, running_silence
from tests.fulfillment.webhooks import an_endpoint, completed, count, secret_of, tell, until
from tests.fulfillment.workers import a_worker

WEBHOOKS = int(os.environ.get("LOCKSTOCK_WEBHOOKS", "400"))
MERCHANTS = 5
KILLS = 3
FAILING = 0.3
FAILS_MAX = 7
"""Of one webhook: ten failures in a row would end it, and a test must not hang on luck."""
SECONDS_MAX = 60 + WEBHOOKS / 20
TIMEOUT_SECONDS = 1.0
QUICK = {
    "supplier_private_addresses": True,
    "webhook_timeout_seconds": TIMEOUT_SECONDS,
    "webhook_pace": "0.00001",
    "webhook_poll_seconds": 0.05,
}
pytestmark = pytest.mark.chaos


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"supplier_private_addresses": True, "webhook_timeout_seconds": 10.0}
    )


def _fails(message_id: str, nth: int) -> str:
    chance = random.Random(f"{message_id}/{nth}").random()
    bad = chance < FAILING and nth <= FAILS_MAX
    return "500 X\r\nContent-Length: 0\r\n" if bad else OK


@pytest.mark.timeout(int(3 * SECONDS_MAX))
async def test_each_webhook_reaches_a_receiver_that_fails_whoever_is_killed_in_between(
    service: Service, settings: Settings
) -> None:
    async with running_receiver(Receiver(answering=_fails)) as receiver, running_silence() as dead:
        merchants = [MERCHANT, *(new_id() for _ in range(MERCHANTS - 1))]
        endpoints = [await an_endpoint(service, receiver.url, merchant_id=it) for it in merchants]
        await an_endpoint(service, dead)
        receiver.secrets = [secret_of(each) for each in endpoints]
        told = await _tell_many(service, merchants)
        started = time.monotonic()
        for number in range(1, KILLS + 1):
            async with a_worker(settings, **QUICK) as worker:
                wanted = number * WEBHOOKS // (KILLS + 2)
                await until(lambda: len(receiver.accepted) >= wanted, SECONDS_MAX)  # noqa: B023 - awaited
                await worker.kill()
        async with a_worker(settings, **QUICK):
            await until(lambda: len(receiver.accepted) >= WEBHOOKS, SECONDS_MAX)
            took = time.monotonic() - started
            await _until_written_down(service, endpoints)

    assert receiver.accepted == told
    assert receiver.forged == []
    assert all(len(set(bodies)) == 1 for bodies in receiver.bodies.values())
    calls = sum(len(bodies) for bodies in receiver.bodies.values())
    assert calls > WEBHOOKS * 1.2
    assert receiver.at_once_most <= 2 * MERCHANTS * 2  # a killed worker's calls may still be there
    print(f"{WEBHOOKS} webhooks, {calls} calls, {KILLS} kills: {took:.1f} s")  # noqa: T201


async def _tell_many(service: Service, merchants: Sequence[UUID]) -> set[str]:
    told: set[str] = set()
    for first in range(0, WEBHOOKS, 500):
        numbers = range(first, min(first + 500, WEBHOOKS))
        events = [completed(merchants[number % len(merchants)]) for number in numbers]
        await tell(service, *events)
        told |= {str(event.id) for event in events}
    return told


async def _until_written_down(service: Service, endpoints: Sequence[Any]) -> None:
    """Nothing is pending but what the silent neighbour is owed."""
    ids = ", ".join(f"'{each.id}'" for each in endpoints)
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            pending = f"state <> 'delivered' AND endpoint_id IN ({ids})"
            if await count(service, "webhook_delivery", pending) == 0:
                return
            await asyncio.sleep(0.1)


async def test_silent_neighbours_add_no_delay(service: Service) -> None:
    """The same traffic without and with them, in one process; the goal is less than 1 s at p99."""
    sender = service.state["webhook_sender"]
    job = Periodic("webhooks", 0.05, sender.run)
    working = asyncio.create_task(job.run())
    async with running_receiver() as receiver, running_silence() as silence:
        await an_endpoint(service, receiver.url)
        alone = await _p99(service, receiver)
        for _ in range(20):
            await an_endpoint(service, silence, merchant_id=OTHER_MERCHANT)
        await tell(service, *(completed(OTHER_MERCHANT) for _ in range(20)))
        await until(lambda: len(sender._good) + len(sender._suspect) >= 20)
        # A machine that stumbles slows one round; a neighbour that is waited for slows each.
        for _ in range(3):
            beside = await _p99(service, receiver)
            if is_no_slower := beside <= 3 * alone + 1.0:
                break
        job.stop()
        await sender.close()
        await working
    print(f"p99 alone {alone * 1000:.0f} ms, beside 20 silent {beside * 1000:.0f} ms")  # noqa: T201
    assert is_no_slower


async def _p99(service: Service, receiver: Receiver) -> float:
    """From the commit to the first byte at the receiver, of 400 in a steady flow."""
    began: dict[str, float] = {}
    for _ in range(40):
        events = [completed() for _ in range(10)]
        began |= {str(event.id): time.time() for event in events}
        await tell(service, *events)
        await asyncio.sleep(0.05)
    await until(lambda: receiver.accepted >= began.keys())
    delays = sorted(receiver.first_at[each] - at for each, at in began.items())
    return delays[int(len(delays) * 0.99) - 1]
