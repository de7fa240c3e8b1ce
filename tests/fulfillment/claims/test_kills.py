"""A worker killed at each step of a replacement: the claim gets one unit, never two."""

import asyncio

import pytest

from fulfillment.settings import Settings
from kit.ids import new_id
from kit.service import Service
from onebox.ports import free_ports
from tests.fulfillment.after_sales import Shop, Sold, open_shop
from tests.fulfillment.real_vault import RealVault
from tests.fulfillment.test_crash import Gate, listening, worker

SECONDS_MAX = 30.0


@pytest.mark.parametrize(
    "step", ["/evidence", "/v1/reservations/batch", "/revoke", "/v1/reservations/claims"]
)
async def test_a_worker_killed_after_the_vault_acted_gives_one_unit(
    served: Service, settings: Settings, vault: RealVault, step: str
) -> None:
    pool = await vault.stock([f"KILL-ONE-{new_id().hex[-8:]}"])
    await vault.add_lot(pool, [f"KILL-{number}-{new_id().hex[-8:]}" for number in range(3)])
    async with open_shop(served, vault) as shop:
        await shop.policy(auto_unseen=True)
        sold = await shop.sell(pool)
        gate = Gate(vault.app, step)
        [port] = free_ports(1)
        async with listening(gate, port):
            gate.is_shut = True
            report = await shop.report(sold)
            assert report.status_code == 201, report.text
            async with worker(settings, port) as first, asyncio.timeout(SECONDS_MAX):
                await gate.claimed.wait()
                await first.kill()
            gate.open()
            async with worker(settings, port), asyncio.timeout(SECONDS_MAX):
                await _until_replaced(shop, sold)
        assert len(await shop.units(sold)) == 2
        assert len(await shop.told("ClaimDecided")) == 1
    levels = await vault.levels(pool)
    assert (levels["sold"], levels["available"], levels["reserved"]) == (2, 2, 0)


async def _until_replaced(shop: Shop, sold: Sold) -> None:
    while True:
        [claim] = (await shop.progress(sold))["claims"]
        if claim["state"] == "replaced":
            return
        await asyncio.sleep(0.05)
