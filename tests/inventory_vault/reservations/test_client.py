"""The Python client's calls about stock and holds, against the vault itself."""

import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from inventory_vault.alarms.service import raise_alarm
from kit.db import Database
from kit.ids import new_id
from lockstock_client import Conflict, Lockstock, NotFound, OutOfStock, Recipient, Upload
from lockstock_client.wire import HoldLine
from tests.inventory_vault.factories import Vault, codes


@pytest.fixture
async def shop(app: Any, vault: Vault) -> AsyncIterator[Lockstock]:
    key = vault.client.headers["Authorization"].removeprefix("Bearer ")
    async with Lockstock(key, transport=httpx.ASGITransport(app=app)) as shop:
        yield shop


async def test_a_hold_is_extended_claimed_partly_and_opened(shop: Lockstock, vault: Vault):
    pool_id = await vault.stocked(5)
    recipient = Recipient.new()

    held = await shop.reservations.reserve("r-1", [{"pool_id": pool_id, "quantity": 3}])
    assert held == await shop.reservations.reserve("r-1", [{"pool_id": pool_id, "quantity": 3}])
    longer = await shop.reservations.extend(held["id"], 3_600)
    sale = await shop.reservations.claim(held["id"], recipient=recipient, quantities={1: 2})
    again = await shop.reservations.claim(held["id"], quantities={1: 2})
    with pytest.raises(Conflict) as whole:
        await shop.reservations.claim(held["id"])
    with pytest.raises(OutOfStock) as short:
        await shop.reservations.reserve("r-2", [{"pool_id": pool_id, "quantity": 4}])
    other = await shop.reservations.reserve("r-3", [{"pool_id": pool_id, "quantity": 3}])
    released = await shop.reservations.release(other["id"], "cancelled")

    assert longer["expires_at"] is not None
    assert held["expires_at"] is not None
    assert longer["expires_at"] > held["expires_at"]
    sold = [unit["unit_id"] for unit in sale["units"]]
    assert sold == [unit["unit_id"] for unit in again["units"]]
    unit = sale["units"][0]
    assert unit["box"] is not None
    opened = recipient.open(unit["box"], unit_id=unit["unit_id"]).disclose()
    assert opened == {"code": "CODE-000001"}
    assert again["units"][0]["box"] is None
    assert whole.value.code == "reservation_sold"
    assert short.value.short_lines[0]["available"] == 3
    assert released["status"] == "released"
    assert (await shop.reservations.get(held["id"]))["lines"][0]["sold_quantity"] == 2


async def test_a_pools_limits_are_set_and_taken_away(shop: Lockstock, vault: Vault):
    pool = await shop.pools.create(
        "keys", "code", low_cover_days=7, hold_budget={"buyer": {"share_percent": 50}}
    )
    await vault.add_lot(pool["id"], 4)

    line: HoldLine = {"pool_id": pool["id"], "quantity": 3}
    with pytest.raises(Conflict) as refused:
        await shop.reservations.reserve("r-1", [line], holder={"buyer": "anna"})
    changed = await shop.pools.change(pool["id"], {"hold_budget": None})
    await shop.reservations.reserve("r-2", [line], holder={"buyer": "anna"})

    assert refused.value.code == "hold_budget_exceeded"
    assert (changed["low_cover_days"], changed["hold_budget"]) == (7, None)
    read = await shop.pools.get(pool["id"])
    assert read["levels"]["available"] == 1
    assert read["cover_days"] is None


async def test_a_lot_is_activated_frozen_voided_in_part_and_another_undone(
    shop: Lockstock, vault: Vault
):
    pool_id = await vault.pool()
    upload = Upload("codes.txt", io.BytesIO(codes(3).encode()))
    receipt = await shop.imports.send(
        pool_id, upload, supplier="ACME", unit_cost=500, needs_activation=True
    )
    lot_id = receipt["lot_id"]
    assert lot_id is not None
    states = [(await shop.lots.get(lot_id))["state"]]
    for act in (shop.lots.activate, shop.lots.quarantine, shop.lots.restore):
        states.append((await act(lot_id, "checked"))["state"])
    first, second, _ = [unit["id"] async for unit in shop.units.all(lot_id=lot_id)]
    frozen = [
        (await act(first, "damaged"))["state"]
        for act in (shop.units.quarantine, shop.units.restore)
    ]
    gone = await shop.units.void(second, "damaged")
    outcome = await shop.stock_actions.act("quarantine", {"pool_id": pool_id}, "recalled")
    acts = [entry["action"] async for entry in shop.stock_actions.all()]
    undone = await shop.lots.undo((await vault.add_lot(pool_id, 2, prefix="X"))["lot_id"], "wrong")

    assert states == ["inactive", "on_shelf", "quarantined", "on_shelf"]
    assert frozen == ["quarantined", "available"]
    assert gone["state"] == "void"
    assert (outcome["moved"], outcome["more"], outcome["held"], outcome["sold"]) == (2, False, 0, 0)
    assert acts[0] == "quarantine"
    assert undone["units"] == 2
    assert len([found async for found in shop.imports.all(pool_id=pool_id)]) == 2


async def test_an_alarm_is_listed_and_closed(shop: Lockstock, db: Database, merchant: UUID):
    async with db.transaction() as tx:
        await raise_alarm(tx, "box_refused", new_id(), merchant_id=merchant, reason="unopenable")

    [alarm] = [each async for each in shop.alarms.all(is_open=True)]
    closed = await shop.alarms.close(alarm["id"], "restored")

    assert closed["resolution"] == "restored"
    assert [each async for each in shop.alarms.all(is_open=True)] == []
    assert [each["id"] async for each in shop.alarms.all(is_open=False)] == [alarm["id"]]


async def test_an_import_that_is_done_is_not_resumed(shop: Lockstock, vault: Vault):
    pool_id = await vault.pool()
    receipt = await vault.add_lot(pool_id, 1)

    upload = Upload("codes.txt", io.BytesIO(codes(1).encode()))
    with pytest.raises(Conflict) as refused:
        await shop.imports.resume(receipt["id"], upload)
    with pytest.raises(NotFound):
        await shop.vouchers.terms(receipt["lot_id"])

    assert refused.value.code == "import_not_interrupted"
