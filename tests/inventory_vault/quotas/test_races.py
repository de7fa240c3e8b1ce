"""The guarantee under a rush: sixty callers on two replicas over one database."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.inventory_vault.factories import Vault
from tests.inventory_vault.quotas.test_routes import A, B, C, set_quota, taken
from tests.inventory_vault.reservations.test_races import twins  # noqa: F401 - a fixture

SEED = 20_261_127


async def patiently(call: Callable[..., Awaitable[httpx.Response]]) -> httpx.Response:
    """Again while a lock is waited for in vain: 503, on a machine that is busy with other tests."""
    for _ in range(20):
        answer = await call()
        if answer.status_code != 503:
            return answer
        await asyncio.sleep(0.1)
    raise AssertionError(answer.text)


@pytest.mark.timeout(60)
async def test_sixty_callers_get_their_guarantees_share_the_rest_and_leave_the_buffer(
    twins: list[Vault],  # noqa: F811 - the fixture
    vault: Vault,
) -> None:
    pool_id = await vault.stocked(100)
    await set_quota(vault, pool_id, buffer=10, a=30, b=20)
    wishes = [A] * 80 + [B] * 20 + [C] * 80
    random.Random(SEED).shuffle(wishes)
    turns = iter(wishes)
    won: Counter[str] = Counter()
    refused: Counter[str] = Counter()

    async def caller(number: int) -> None:
        for channel_id in turns:
            answer = await patiently(
                lambda to=channel_id: twins[number % 2].reserve(pool_id, channel_id=to)
            )
            (won if answer.status_code == 201 else refused)[channel_id] += 1

    await asyncio.gather(*(caller(number) for number in range(60)))

    assert won[B] == 20
    assert won[A] >= 30
    assert won[A] + won[C] == 30 + 40
    assert won[C] <= 40
    assert refused[A] + refused[C] == 160 - 70
    assert (await vault.levels(pool_id))["available"] == 10
    assert await taken(vault, pool_id) == {A: won[A], B: 20}


@pytest.mark.timeout(60)
async def test_a_guaranteed_channel_is_never_refused_while_others_take_and_give_back(
    twins: list[Vault],  # noqa: F811 - the fixture
    vault: Vault,
) -> None:
    pool_id = await vault.stocked(100)
    await set_quota(vault, pool_id, a=40)
    chance = random.Random(SEED)
    refused: Counter[str] = Counter()
    kept: Counter[str] = Counter()

    async def caller(number: int, channel_id: str) -> None:
        """Holds two units at most, so that A's twenty callers stay within its guarantee."""
        one = twins[number % 2]
        for turn in range(8):
            wanted = chance.randint(1, 2)
            answer = await patiently(
                lambda units=wanted: one.reserve(pool_id, units, channel_id=channel_id)
            )
            if answer.status_code != 201:
                refused[channel_id] += 1
                continue
            if turn < 7:
                held = answer.json()["id"]
                released = await patiently(lambda id_=held: one.release(id_))
                assert released.status_code == 200, released.text
            else:
                kept[channel_id] += answer.json()["lines"][0]["quantity"]

    channels = [A] * 20 + [C] * 40
    await asyncio.gather(*(caller(number, channel) for number, channel in enumerate(channels)))

    assert refused[A] == 0
    assert await taken(vault, pool_id) == {A: kept[A]}
    assert (await vault.levels(pool_id))["available"] == 100 - kept[A] - kept[C]
    assert kept[C] <= 60
