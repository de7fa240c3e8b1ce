"""Balances as of any past time are exact, whatever the chain has reached."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from kit.ids import new_id
from kit.service import Service
from ledger.accounts.repository import FEW_MAX
from tests.ledger.conftest import Deliver
from tests.ledger.factories import CHANNEL, NOON, a_payment, cny
from tests.stack.api import ApiClient

CLEARING = f"channel-clearing:{CHANNEL}"


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read", "ledger:write")


def at(moment: datetime, amount: int) -> Any:
    event = a_payment(new_id(), cny(amount))
    return type(event)(**{**_fields(event), "time": moment})


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__dataclass_fields__}


async def balance(client: httpx.AsyncClient, moment: datetime) -> int:
    items = (await client.get("/v1/accounts", params={"parent": "channel-clearing"})).json()
    (account,) = items["items"]
    found = await client.get(
        f"/v1/accounts/{account['id']}/balance", params={"at": moment.isoformat()}
    )
    assert found.status_code == 200, found.text
    return int(found.json()["balance"])


async def test_what_happened_up_to_a_moment_counts_and_nothing_later(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(at(NOON, 100), at(NOON + timedelta(seconds=1), 20), at(NOON, 3))
    assert await balance(client, NOON - timedelta(microseconds=1)) == 0
    assert await balance(client, NOON) == 103
    assert await balance(client, NOON + timedelta(seconds=1)) == 123


async def test_random_moments_are_exact_while_the_chain_is_behind_or_done(
    client: httpx.AsyncClient, deliver: Deliver, service: Service
) -> None:
    rng = random.Random(11)
    told: list[tuple[datetime, int]] = []
    for step in range(6):
        some = [
            (NOON + timedelta(seconds=rng.randrange(5 * 86_400)), rng.randint(1, 999))
            for _ in range(30)
        ]
        told += some
        await deliver(*(at(moment, amount) for moment, amount in some))
        if step % 2:  # what comes next is dated before what the chain has
            while await service.state["chain"].chain_waiting():
                pass
        for _ in range(6):
            moment = NOON + timedelta(seconds=rng.randrange(6 * 86_400))
            assert await balance(client, moment) == sum(
                amount for when, amount in told if when <= moment
            )


@pytest.mark.parametrize("behind", [FEW_MAX - 1, FEW_MAX, FEW_MAX + 1])
async def test_few_and_many_that_wait_for_the_chain_are_counted_once(
    client: httpx.AsyncClient, deliver: Deliver, service: Service, behind: int
) -> None:
    await deliver(at(NOON, 1_000_000))
    await service.state["chain"].chain_waiting()
    await deliver(*(at(NOON, 1) for _ in range(behind)))
    assert await balance(client, NOON + timedelta(days=2)) == 1_000_000 + behind
    assert await balance(client, NOON - timedelta(days=2)) == 0
    while await service.state["chain"].chain_waiting():
        pass
    assert await balance(client, NOON + timedelta(days=2)) == 1_000_000 + behind


async def test_a_trial_balance_of_the_past_is_balanced_and_exact(
    client: httpx.AsyncClient, deliver: Deliver, service: Service
) -> None:
    days = [NOON + timedelta(days=day) for day in range(4)]
    await deliver(*(at(day, 10) for day in days))
    await service.state["chain"].chain_waiting()
    await deliver(at(days[1], 5))
    for place, day in enumerate(days):
        trial = (await client.get("/v1/trial-balance", params={"at": day.isoformat()})).json()
        expected = 10 * (place + 1) + (5 if place else 0)
        assert trial["balanced"]
        assert trial["totals"][0]["debit"] == expected
        found = Counter({it["account"]: it["balance"] for it in trial["items"]})
        assert found[CLEARING] == -found["customer-deposits"] == expected


async def test_the_future_is_all_there_is(client: httpx.AsyncClient, deliver: Deliver) -> None:
    await deliver(at(NOON, 100))
    assert await balance(client, datetime(2190, 1, 1, tzinfo=UTC)) == 100


async def test_the_past_of_an_unknown_account_is_not_found(client: httpx.AsyncClient) -> None:
    found = await client.get(f"/v1/accounts/{new_id()}/balance", params={"at": NOON.isoformat()})
    assert (found.status_code, found.json()["code"]) == (404, "account_not_found")
