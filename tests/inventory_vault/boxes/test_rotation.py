"""The vault's key changes while a shop that sealed to the old one is still sending."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from inventory_vault.auditor.anchors import TrustedKeys
from inventory_vault.auditor.commands import verify_snapshot
from inventory_vault.auditor.findings import Findings
from inventory_vault.settings import Settings
from kit.db import Database
from tests.inventory_vault.boxes.factories import a_shop, open_lot
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import Recipient, Vault
from tests.inventory_vault.opener.test_process import OpenerProcess

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
async def process(settings: Settings) -> AsyncIterator[OpenerProcess]:
    """A real opener that ends old keys as soon as nothing names them."""
    one = OpenerProcess(settings, old_key_grace_seconds="0", fingerprint_key="f" * 32)
    await one.start()
    yield one
    await one.stop(signal.SIGTERM)


@pytest.fixture
async def shop(process: OpenerProcess, api: OpenClient, merchant: UUID) -> Vault:
    scopes = ("stock:read", "stock:write", "reservations:write", "keys:reveal")
    return Vault(await api(*scopes), merchant)


@pytest.fixture
async def platform(api: OpenClient) -> Any:
    return await api("keys:rotate", merchant_id=None)


async def _key(platform: Any, key_id: str) -> Any:
    keys = (await platform.get("/v1/sealing-keys")).json()["items"]
    return next(key for key in keys if key["key_id"] == key_id)


async def _becomes(platform: Any, key_id: str, state: str) -> None:
    for _ in range(600):
        if (await _key(platform, key_id))["state"] == state:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"the key does not become {state}")


async def test_parts_sealed_to_the_old_key_are_taken_until_it_ends(
    shop: Vault, platform: Any, db: Database
):
    pool_id = await shop.pool()
    sending = await a_shop(shop, pool_id=pool_id)
    idle = await a_shop(shop, pool_id=pool_id)
    old = sending.ids["key_id"]
    await sending.stored(sending.units(["FIRST-PART-1"]), 1)

    wish = await platform.post("/v1/sealing-keys/rotate", json={"reason": "the yearly one"})
    assert wish.status_code == 202, wish.text
    await _becomes(platform, old, "open_only")

    # The upload goes on under the key it was opened with.
    assert (await sending.stored(sending.units(["SECOND-PART-1"]), 2))["accepted"] == 1
    # The key stays as long as the upload lasts, however long nothing comes.
    await asyncio.sleep(12)
    assert (await _key(platform, old))["state"] == "open_only"
    assert (await a_shop(shop, pool_id=pool_id)).ids["key_id"] != old
    assert (await sending.stored(sending.units(["THIRD-PART-1"]), 3))["accepted"] == 1
    assert (await sending.completed())["accepted"] == 3

    await _becomes(platform, old, "retired")
    late = await idle.send(idle.units(["TOO-LATE-1"]))
    assert (late.status_code, late.json()["code"]) == (409, "sealing_key_retired")
    assert (await idle.receipt())["accepted"] == 0
    named = await open_lot(shop, pool_id, key_id=old)
    assert (named.status_code, named.json()["code"]) == (409, "sealing_key_retired")

    # Nothing was lost by it: what came under the old key opens under the new one.
    buyer = Recipient()
    claim = (await shop.claim(await shop.held(pool_id, 3), buyer)).json()
    opened = [buyer.open(unit["box"])["code"] for unit in claim["units"]]
    assert opened == ["FIRST-PART-1", "SECOND-PART-1", "THIRD-PART-1"]
    assert await shop.conserved(pool_id)
    findings = Findings()
    await verify_snapshot(db, TrustedKeys([]), [], findings)
    assert (findings.shown, findings.notices) == ([], [])


async def test_the_vault_asks_for_another_key_when_the_active_one_changed(
    shop: Vault, platform: Any
):
    """The API remembers the active key for seconds; an upload is opened under one that lives."""
    before = await a_shop(shop)
    old = before.ids["key_id"]
    assert (
        await platform.post("/v1/sealing-keys/rotate", json={"reason": "again"})
    ).status_code == 202
    await _becomes(platform, old, "retired")
    # The opener forgets a key just after it is written down that it ended.
    pool_id = await shop.pool()
    for _ in range(300):
        if (await open_lot(shop, pool_id, key_id=old)).status_code == 409:
            break
        await asyncio.sleep(0.1)

    after = await a_shop(shop)

    assert after.ids["key_id"] != old
    await after.stored(after.units(["AFTER-1"]))
    assert (await after.completed())["accepted"] == 1
