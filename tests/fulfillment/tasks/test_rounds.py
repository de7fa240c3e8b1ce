"""Rounds of one kind run side by side: one that waits for its supplier holds up no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fulfillment.app import create_service
from fulfillment.settings import Settings
from fulfillment.suppliers.domain import Times
from kit.service import Service
from tests.fulfillment.top_ups import accept, an_account, an_order, count, purchases, with_supplier
from tests.suppliers.simulator import Behaviour, Simulator

SECONDS_MAX = 30.0
A_WHOLE_ROUND = 50


@pytest.fixture
async def patient(settings: Settings) -> AsyncIterator[Service]:
    """The service, whose rounds wait for their suppliers longer than this test may take."""
    given = {
        "supplier_private_addresses": True,
        "supplier_patience_seconds": SECONDS_MAX,
        "lease_seconds": 10 * SECONDS_MAX,
        "dispatch_poll_seconds": 0.02,
    }
    service = create_service(settings.model_copy(update=given))
    yield service
    for close in reversed(service.closing):
        await close()
    await service.db.close()


@asynccontextmanager
async def rounds_of_top_ups(service: Service) -> AsyncIterator[int]:
    """They run as in a worker for the length of the block; how many there are."""
    jobs = [job for job in service.jobs if job.name == "dispatch-top_up"]
    running = [asyncio.create_task(job.run()) for job in jobs]
    yield len(jobs)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_a_top_up_is_delivered_while_another_round_waits_for_a_silent_supplier(
    patient: Service, simulator: Simulator
) -> None:
    slow = [an_account() for _ in range(A_WHOLE_ROUND)]
    simulator.slow_seconds = 2 * SECONDS_MAX
    for account in slow:
        simulator.behave(account, Behaviour.SLOW)
    await with_supplier(patient, simulator, times=Times(timeout_seconds=SECONDS_MAX))
    await accept(patient, *(an_order(account) for account in slow))

    async with rounds_of_top_ups(patient) as rounds, asyncio.timeout(SECONDS_MAX):
        assert rounds > 1
        while len(simulator.posts) < A_WHOLE_ROUND:  # noqa: ASYNC110 - another task's doing
            await asyncio.sleep(0.01)
        await accept(patient, an_order(an_account()))
        while not await count(patient, "delivery", "state = 'delivered'"):  # noqa: ASYNC110 - same
            await asyncio.sleep(0.01)

    states = sorted(purchase.state for purchase in await purchases(patient))
    assert states == ["done", *["sent"] * A_WHOLE_ROUND]
