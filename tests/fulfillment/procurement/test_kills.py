"""A real worker that buys into stock, killed between buying and bringing, again and again."""

import asyncio
import os
from contextlib import AbstractAsyncContextManager
from typing import Any

from fulfillment.settings import Settings
from fulfillment.supplier_products.service import LIST_NOT_BELIEVED
from kit.service import Service
from tests.fulfillment.buying import SECONDS_MAX, buying, empty_pool, plan, rows, with_offer
from tests.fulfillment.real_vault import RealVault
from tests.fulfillment.workers import a_worker
from tests.stack.nursery import Forked
from tests.suppliers.code_shop import CodeShop, running_code_shop
from tests.suppliers.simulator import listening

# One kill at each of the three moments; a longer run takes more of both.
PROCUREMENTS = int(os.environ.get("PROCURE_KILLS_PROCUREMENTS", "3"))
KILLS = int(os.environ.get("PROCURE_KILLS", "3"))
MOMENTS = 3
WORKER = ("tests.fulfillment.procurement.worker_with_connectors", "worker")


class Gate:
    """The vault behind a door that tells when a lot comes, and holds back the answer once."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.came = asyncio.Event()
        self.holds_before = False
        self.holds_after = False

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        is_lot = scope["method"] == "POST" and scope["path"].endswith("/lots")
        if is_lot and self.holds_before:
            self.came.set()
            await asyncio.sleep(SECONDS_MAX)
            return
        if not (is_lot and self.holds_after):
            await self._app(scope, receive, send)
            return

        async def nothing(_: Any) -> None:
            return None

        await self._app(scope, receive, nothing)
        self.came.set()
        await asyncio.sleep(SECONDS_MAX)


def worker(settings: Settings, vault_url: str) -> AbstractAsyncContextManager[Forked]:
    return a_worker(
        settings,
        WORKER,
        vault_url=vault_url,
        connectors="code_shop",
        supplier_private_addresses=True,
        supplier_pause_seconds_max=0.1,
        lease_seconds=1,
        dispatch_poll_seconds=0.05,
    )


async def all_ended(service: Service) -> bool:
    return all(it.ended_at is not None for it in await rows(service, "procurement"))


async def until_ended(service: Service) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            if await all_ended(service):
                return
            await asyncio.sleep(0.05)


async def killed_when(process: Forked, event: asyncio.Event) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        await event.wait()
    await process.kill()


async def test_workers_killed_between_buying_and_bringing_lose_no_code_and_store_none_twice(
    settings: Settings, vault: RealVault
) -> None:
    async with (
        running_code_shop() as shop,
        buying(settings, vault) as service,
        listening(gate := Gate(vault.app)) as vault_url,
    ):
        pool = await empty_pool(vault)
        await with_offer(service, shop, pool)
        procurements = [await plan(service, pool, 3) for _ in range(PROCUREMENTS)]
        killed: set[int] = set()
        for turn in range(KILLS):
            if await _kill_once(settings, shop, gate, vault_url, turn):
                killed.add(turn % MOMENTS)
            if await all_ended(service):
                break
        # Each moment was hit: otherwise this shows nothing.
        assert killed == set(range(min(KILLS, MOMENTS)))
        gate.holds_before = gate.holds_after = False
        async with worker(settings, vault_url):
            await until_ended(service)

        assert {it.state for it in await rows(service, "procurement")} == {"arrived"}
        assert (await vault.levels(pool))["total"] == 3 * PROCUREMENTS == len(shop.codes())
        assert len(shop.sold) == len(procurements)
        assert await rows(service, "arrival_box") == []
        # A look at the shop's list that a busy machine made too slow is a case of its own.
        cases = {it.kind for it in await rows(service, "supplier_case")}
        assert cases <= {LIST_NOT_BELIEVED}


async def _kill_once(
    settings: Settings, shop: CodeShop, gate: Gate, vault_url: str, turn: int
) -> bool:
    """In turn: when the supplier has answered, before the vault has the lot, after it has. False
    when nothing of that sort was left to do.
    """
    moment = turn % MOMENTS
    gate.came.clear()
    shop.answered.clear()
    gate.holds_before, gate.holds_after = moment == 1, moment == 2
    async with worker(settings, vault_url) as process:
        try:
            await killed_when(process, shop.answered if moment == 0 else gate.came)
        except TimeoutError:
            return False
    return True
