"""A lot is undone until somebody has a unit of it, and then never."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.service import Service
from tests.inventory_vault.factories import Vault, run_job
from tests.inventory_vault.tills import Till, refused

JOB = "take-back-undone-lots"


async def undo(vault: Vault, lot_id: str) -> Any:
    return await vault.client.post(f"/v1/lots/{lot_id}/undo", json={"reason": "the wrong file"})


async def test_an_undone_lot_is_gone_at_once_and_its_codes_can_come_again(
    vault: Vault, service: Service, rows
):
    pool_id = await vault.pool()
    kept = await vault.add_lot(pool_id, 2, prefix="KEPT")
    receipt = await vault.add_lot(pool_id, 30)
    # What was held and given back was nobody's again.
    await vault.release(await vault.held(pool_id, 32))
    units = await rows("SELECT unit_id FROM unit WHERE lot_id = :l LIMIT 1", l=receipt["lot_id"])
    quarantine = f"/v1/units/{units[0].unit_id}/quarantine"
    assert (await vault.client.post(quarantine, json={"reason": "r"})).status_code == 200

    answer = await undo(vault, receipt["lot_id"])

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "lot_id": receipt["lot_id"],
        "pool_id": pool_id,
        "units": 30,
        "total_cost": {"amount": 30 * 500, "currency": "CNY"},
    }
    assert (await vault.levels(pool_id))["total"] == 2
    assert (await vault.reserve(pool_id, 3)).status_code == 409
    assert (await vault.client.get(f"/v1/lots/{receipt['lot_id']}")).status_code == 404
    assert (await undo(vault, receipt["lot_id"])).status_code == 404
    events = await rows(
        "SELECT type FROM event_log WHERE key = :k ORDER BY id DESC LIMIT 1", k=pool_id
    )
    assert [row.type for row in events] == ["lockstock.inventory_vault.v1.StockUndone"]

    await run_job(service, JOB)

    for table in ("unit", "lot", "lot_seal", "lot_tally", "free_unit", "withdrawn_unit"):
        column = "id" if table == "lot" else "lot_id"
        [left] = await rows(
            f"SELECT count(*) AS n FROM {table} WHERE {column} = :l",  # noqa: S608 - our names
            l=receipt["lot_id"],
        )
        assert left.n == 0, table
    assert (await vault.add_lot(pool_id, 30))["duplicates"] == 0
    assert await vault.conserved(pool_id)
    assert kept["lot_id"] is not None


async def test_void_and_expired_units_go_with_their_lot_and_can_come_again(
    vault: Vault, service: Service, db, rows
):
    pool_id = await vault.pool("voucher")
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    far = "2031-01-01T00:00:00Z"
    lines = f"code,expiry\nGONE-1,{soon}\nGONE-2,{far}\nGONE-3,{far}\nGONE-4,{far}\n"
    receipt = await vault.imported(pool_id, lines)
    assert receipt["accepted"] == 4, receipt
    lot_id = receipt["lot_id"]
    units = await rows("SELECT unit_id FROM unit WHERE lot_id = :l ORDER BY seq", l=lot_id)
    for unit, action in ((units[1], "void"), (units[2], "quarantine")):
        path = f"/v1/units/{unit.unit_id}/{action}"
        assert (await vault.client.post(path, json={"reason": "r"})).status_code == 200
    await asyncio.sleep(2)
    await run_job(service, "withdraw-expired-units")
    states = await rows("SELECT state FROM withdrawn_unit WHERE lot_id = :l", l=lot_id)
    assert sorted(row.state for row in states) == ["expired", "quarantined", "void"]
    # While the lot is on the shelf, what is void or expired stays so.
    with pytest.raises(IntegrityError, match="void and expired units never come back"):
        async with db.transaction() as tx:
            await tx.execute(text("DELETE FROM withdrawn_unit WHERE state = 'void'"))

    assert (await undo(vault, lot_id)).status_code == 200
    await run_job(service, JOB)

    for table in ("unit", "lot_tally", "free_unit", "withdrawn_unit", "gap_run"):
        assert await rows(f"SELECT 1 FROM {table} WHERE lot_id = :l", l=lot_id) == [], table  # noqa: S608
    for unit in units:
        assert (await vault.client.get(f"/v1/units/{unit.unit_id}")).status_code == 404
    again = await vault.imported(pool_id, "GONE-1\nGONE-2\nGONE-3\nGONE-4\n")
    assert (again["accepted"], again["duplicates"]) == (4, 0)
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["total"]) == (4, 4)
    assert await vault.conserved(pool_id)


async def test_a_pool_that_runs_short_by_an_undo_says_so(vault: Vault, rows):
    async def told(pool_id: str) -> list[str]:
        found = await rows("SELECT type FROM event_log WHERE key = :k ORDER BY id", k=pool_id)
        return [row.type.rsplit(".", 1)[1] for row in found]

    low = await vault.pool(low_stock_threshold=3)
    await vault.add_lot(low, 2, prefix="LOW")
    more = await vault.add_lot(low, 2, prefix="MORE")
    assert (await undo(vault, more["lot_id"])).status_code == 200
    assert await told(low) == ["StockImported", "StockImported", "StockUndone", "StockLow"]

    out = await vault.pool()
    only = await vault.add_lot(out, 2, prefix="OUT")
    assert (await undo(vault, only["lot_id"])).status_code == 200
    assert await told(out) == ["StockImported", "StockUndone", "StockOut"]

    # Nothing was available of it: nothing changes by the undo.
    frozen = await vault.pool()
    lot_id = (await vault.add_lot(frozen, 2, prefix="FROZEN"))["lot_id"]
    quarantine = f"/v1/lots/{lot_id}/quarantine"
    assert (await vault.client.post(quarantine, json={"reason": "r"})).status_code == 200
    assert (await undo(vault, lot_id)).status_code == 200
    assert await told(frozen) == ["StockImported", "StockUndone"]


async def test_the_code_of_an_undone_lot_is_no_code_from_then_on(till: Till, rows):
    pool_id = await till.vault.pool("voucher")
    receipt = await till.vault.imported(pool_id, "PAID-WITH-1\nPAID-WITH-2\n")
    [unit, _] = await rows("SELECT unit_id FROM unit WHERE lot_id = :l", l=receipt["lot_id"])
    # Found, and refused because nobody bought it.
    assert refused(await till.redeem(code="PAID-WITH-1"))[1] != "code_not_found"

    assert (await undo(till.vault, receipt["lot_id"])).status_code == 200

    # Its units are still there: the job that deletes them has not run.
    assert len(await rows("SELECT 1 FROM unit WHERE lot_id = :l", l=receipt["lot_id"])) == 2
    assert refused(await till.redeem(code="PAID-WITH-1")) == (404, "code_not_found")
    assert refused(await till.redeem(str(unit.unit_id)))[0] == 404


async def test_a_lot_with_a_held_or_sold_unit_cannot_be_undone(vault: Vault):
    pool_id = await vault.pool()
    receipt = await vault.add_lot(pool_id, 3)
    hold = await vault.held(pool_id)
    refused = await undo(vault, receipt["lot_id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "lot_already_sold")

    assert (await vault.claim(hold)).status_code == 200

    refused = await undo(vault, receipt["lot_id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "lot_already_sold")
    assert (await vault.levels(pool_id))["available"] == 2


async def test_a_void_lot_and_another_merchants_lot_cannot_be_undone(vault: Vault, api):
    pool_id = await vault.pool()
    receipt = await vault.add_lot(pool_id, 3)
    stranger = Vault(await api("stock:write", merchant_id=receipt["id"]), vault.merchant)
    assert (await undo(stranger, receipt["lot_id"])).status_code == 404
    await vault.client.post(f"/v1/lots/{receipt['lot_id']}/void", json={"reason": "r"})
    refused = await undo(vault, receipt["lot_id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "lot_not_undoable")


RACES = 16
STEP_SECONDS = 0.004


async def test_undo_and_reservations_raced_have_one_winner(vault: Vault, service: Service):
    outcomes = set()
    for turn in range(RACES):
        pool_id = await vault.pool()
        receipt = await vault.add_lot(pool_id, 5, prefix=f"RACE{turn}")
        # From undo well behind to undo well ahead: each side is the first at some time.
        ahead = (turn - RACES // 2) * STEP_SECONDS
        undone, *answers = await asyncio.gather(
            _after(-ahead, undo(vault, receipt["lot_id"])),
            *(_after(ahead, vault.reserve(pool_id)) for _ in range(4)),
        )
        held = [answer for answer in answers if answer.status_code == 201]

        assert (undone.status_code == 200) == (not held), (undone.text, len(held))
        outcomes.add(undone.status_code)
        if held:
            assert undone.json()["code"] == "lot_already_sold"
            assert await vault.conserved(pool_id)
        else:
            assert (await vault.levels(pool_id))["total"] == 0
    assert outcomes == {200, 409}, "the race always ends the same way"
    await run_job(service, JOB)


async def _after(seconds: float, call: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
    await asyncio.sleep(max(0.0, seconds))
    return await call
