"""kill -9 of the API amid sales: what was answered is true, the rest is whole or absent."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import httpx
import pytest

from inventory_vault.settings import Settings
from kit.ids import new_id
from kit.service import service_tokens
from onebox.ports import free_ports
from tests.inventory_vault.factories import Vault
from tests.stack.nursery import Forked, nursery_of

START_SECONDS_MAX = 30.0
UNITS = 300
BUYERS = 16
SALES_BEFORE_THE_KILL = 40


@dataclass
class History:
    """What the buyers were told."""

    held: dict[str, str] = field(default_factory=dict)
    sold: dict[str, list[str]] = field(default_factory=dict)
    lost_calls: int = 0
    is_under_way: asyncio.Event = field(default_factory=asyncio.Event)


class Api:
    """`python -m inventory_vault api` on a port of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._port = free_ports(1)[0]
        self._process: Forked | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        settings = self._settings
        values = {
            "database_url": settings.database_url.get_secret_value(),
            "kafka_bootstrap": settings.kafka_bootstrap,
            "internal_secret": settings.internal_secret.get_secret_value(),
            "opener_socket": str(settings.opener_socket),
            "fingerprint_key": "f" * 32,
            "port": str(self._port),
            "log_level": "ERROR",
        }
        names = {f"INVENTORY_VAULT_{name.upper()}": value for name, value in values.items()}
        self._process = nursery_of("inventory_vault.app").fork(
            "inventory_vault", "api", env={**os.environ, **names}
        )
        async with httpx.AsyncClient() as client:
            for _ in range(int(START_SECONDS_MAX / 0.05)):
                try:
                    if (await client.get(f"{self.url}/healthz")).status_code == 200:
                        return
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
        raise AssertionError("the API does not start")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        assert self._process is not None
        await self._process.kill()


@pytest.fixture
async def api_process(settings: Settings) -> AsyncIterator[Api]:
    process = Api(settings)
    await process.start()
    yield process
    await process.kill()


async def test_what_was_answered_before_the_kill_is_true_after_it(
    api_process: Api, vault: Vault, settings: Settings, merchant: UUID
):
    pool_id = await vault.stocked(UNITS)
    token = service_tokens(settings).issue("tests")
    headers = {"Authorization": f"Bearer {token}", "Lockstock-Merchant": str(merchant)}
    history = History()
    async with httpx.AsyncClient(base_url=api_process.url, headers=headers, timeout=20) as client:
        buyers = [
            asyncio.create_task(_buy(Vault(client, merchant), pool_id, history))
            for _ in range(BUYERS)
        ]
        await asyncio.wait_for(history.is_under_way.wait(), 60)
        await api_process.kill()
        await api_process.start()
        await asyncio.wait_for(asyncio.gather(*buyers), 60)
        assert history.lost_calls > 0, "the kill came between the calls"

        # Everything that was promised is still so, and a repeat says the same.
        shop = Vault(client, merchant)
        claims = await asyncio.gather(
            *(_sure(partial(shop.claim, id_), history) for id_ in history.sold)
        )
        for claim, units in zip(claims, history.sold.values(), strict=True):
            assert [unit["unit_id"] for unit in claim.json()["units"]] == units
        holds = [
            _sure(partial(shop.reserve, pool_id, 2, reference=reference), history)
            for reference in history.held
        ]
        for hold, id_ in zip(await asyncio.gather(*holds), history.held.values(), strict=True):
            assert hold.json()["id"] == id_

    handed = Counter(unit for units in history.sold.values() for unit in units)
    assert max(handed.values()) == 1
    levels = await vault.levels(pool_id)
    assert levels["sold"] == len(handed) == UNITS
    assert (levels["available"], levels["reserved"]) == (0, 0)
    assert await vault.conserved(pool_id)


async def _buy(shop: Vault, pool_id: str, history: History) -> None:
    """Buys until nothing is left; a call without an answer is made again, by the same reference."""
    while True:
        reference = str(new_id())
        held = await _sure(lambda: shop.reserve(pool_id, 2, reference=reference), history)  # noqa: B023 - awaited at once
        if held.status_code == 409:
            return
        reservation_id = held.json()["id"]
        history.held[reference] = reservation_id
        sold = await _sure(lambda: shop.claim(reservation_id), history)  # noqa: B023 - awaited at once
        history.sold[reservation_id] = [unit["unit_id"] for unit in sold.json()["units"]]
        if len(history.sold) >= SALES_BEFORE_THE_KILL:
            history.is_under_way.set()


async def _sure(call: Callable[[], Awaitable[httpx.Response]], history: History) -> httpx.Response:
    while True:
        try:
            answer = await call()
        except httpx.HTTPError:
            history.lost_calls += 1
            await asyncio.sleep(0.05)
            continue
        if answer.status_code != 503:
            return answer
