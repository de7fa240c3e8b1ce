"""What nobody needs any more loses its box: then, not before, and nothing else of it."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from inventory_vault.audit.domain import units_digest
from inventory_vault.retention.domain import SLICE_SECONDS_MAX, Window
from inventory_vault.retention.service import RetentionService
from kit.clock import SystemClock
from kit.db import Database
from kit.service import Service
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.factories import Recipient, Vault
from tests.inventory_vault.retention.ageing import DAYS, age, boxes, shred, told
from tests.inventory_vault.tills import FACE_VALUE, Till, money, refused
from tests.stack.service_databases import ServiceDatabases


async def _alarms(rows: Any, merchant: UUID) -> int:
    (row,) = await rows("SELECT count(*) AS n FROM alarm WHERE merchant_id = :m", m=merchant)
    return int(row.n)


async def _unit(vault: Vault, unit_id: str) -> Any:
    answer = await vault.client.get(f"/v1/units/{unit_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_sale_is_shown_before_the_retention_ends_and_never_after(
    vault: Vault, db: Database, rows: Any
):
    pool_id = await vault.stocked(3)
    sale = await vault.held(pool_id, 2)
    units = (await vault.claim(sale, Recipient())).json()["units"]
    unit_id = units[0]["unit_id"]
    # A few seconds before its time: still there.
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=-4)
    await shred(db)
    buyer = Recipient()
    shown = await vault.reveal(unit_id, buyer)
    assert buyer.open(shown.json()["box"])["code"].startswith("CODE-")
    assert await boxes(db, vault.merchant) == (3, 0)
    assert (await _unit(vault, unit_id))["shredded_at"] is None

    # One second after.
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=1)
    await shred(db)

    assert await boxes(db, vault.merchant) == (1, 2)
    assert refused(await vault.reveal(unit_id, Recipient())) == (409, "unit_shredded")
    answer = await vault.claim(sale, Recipient())
    assert refused(answer) == (409, "unit_shredded")
    assert "erased" in answer.json()["detail"]
    again = await vault.claim(sale)
    assert [unit["unit_id"] for unit in again.json()["units"]] == [u["unit_id"] for u in units]
    read = await _unit(vault, unit_id)
    assert read["shredded_at"] is not None
    assert (read["mask"], read["state"]) == (units[0]["mask"], "opened")
    assert read["sale"]["reservation_id"] == sale
    assert await _alarms(rows, vault.merchant) == 0
    assert await vault.conserved(pool_id)
    duplicate = await vault.imported(pool_id, "CODE-000001\nCODE-000002\n")
    assert duplicate["duplicates"] == 2


async def test_its_time_comes_by_itself(vault: Vault, db: Database):
    await vault.sold(await vault.stocked(1))
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=-3)
    await shred(db)
    assert await boxes(db, vault.merchant) == (1, 0)
    await asyncio.sleep(3.2)
    await shred(db)
    assert await boxes(db, vault.merchant) == (0, 1)


async def test_held_stock_and_the_shelf_are_left_alone(vault: Vault, db: Database):
    pool_id = await vault.stocked(4)
    await vault.sold(pool_id)
    await vault.held(pool_id, 2)
    await age(db, "unit_sale", vault.merchant, days=10 * DAYS)
    await shred(db)
    assert await boxes(db, vault.merchant) == (3, 1)


async def test_without_a_retention_time_nothing_is_ever_shredded(vault: Vault, db: Database):
    await vault.sold(await vault.stocked(1))
    await age(db, "unit_sale", vault.merchant, days=3_650)
    assert await shred(db, days=0) == 1
    assert await boxes(db, vault.merchant) == (1, 0)


async def test_the_worker_shreds(vault: Vault, db: Database, service: Service):
    await vault.sold(await vault.stocked(1))
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=60)
    (job,) = [job for job in service.jobs if job.name == "shred-after-retention"]
    while await job._run():
        pass
    assert await boxes(db, vault.merchant) == (0, 1)


async def test_a_voucher_without_its_box_is_redeemed_by_its_code(
    vault: Vault, till: Till, db: Database
):
    (unit_id,) = await till.sold(1)
    code = await till.code_of(unit_id)
    await till.redeemed(unit_id, amount=money(20))
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=1)
    await shred(db)
    assert await boxes(db, vault.merchant) == (0, 1)
    rest = await till.redeemed(code=code)
    assert rest["amount"]["amount"] == FACE_VALUE - 20
    assert (await _unit(vault, unit_id))["state"] == "redeemed"


@pytest.mark.parametrize("state", ["void", "expired"])
async def test_what_was_withdrawn_for_good_is_shredded(vault: Vault, db: Database, state: str):
    pool_id = await vault.stocked(3)
    units = (await vault.client.get(f"/v1/units?pool_id={pool_id}")).json()["items"]
    for unit, act in zip(units, ("void", "quarantine"), strict=False):
        body = {"reason": "returned to the supplier"}
        answer = await vault.client.post(f"/v1/units/{unit['id']}/{act}", json=body)
        assert answer.status_code == 200, answer.text
    await _call_it(db, vault.merchant, state)
    await age(db, "withdrawn_unit", vault.merchant, days=DAYS, seconds=-60)
    await shred(db)
    assert await boxes(db, vault.merchant) == (3, 0)

    await age(db, "withdrawn_unit", vault.merchant, days=DAYS, seconds=1)
    await shred(db)

    assert await boxes(db, vault.merchant) == (2, 1)
    assert (await _unit(vault, units[0]["id"]))["shredded_at"] is not None


async def _call_it(db: Database, merchant: UUID, state: str) -> None:
    async with db.transaction() as tx:
        for statement in (
            "ALTER TABLE withdrawn_unit DISABLE TRIGGER USER",
            f"UPDATE withdrawn_unit SET state = '{state}' "  # noqa: S608 - our own words
            f"WHERE state = 'void' AND merchant_id = '{merchant}'",
            "UPDATE lot_tally t SET void = n.void, expired = n.expired FROM (SELECT lot_id, "
            "count(*) FILTER (WHERE state = 'void') AS void, "
            "count(*) FILTER (WHERE state = 'expired') AS expired FROM withdrawn_unit GROUP BY 1"
            ") n WHERE n.lot_id = t.lot_id",
            "ALTER TABLE withdrawn_unit ENABLE TRIGGER USER",
        ):
            await tx.execute(text(statement))


async def test_a_quarantined_unit_that_is_voided_late_has_its_time_from_then_on(
    vault: Vault, db: Database
):
    pool_id = await vault.stocked(1)
    (unit,) = (await vault.client.get(f"/v1/units?pool_id={pool_id}")).json()["items"]
    await vault.client.post(f"/v1/units/{unit['id']}/quarantine", json={"reason": "a doubt"})
    await age(db, "withdrawn_unit", vault.merchant, days=2 * DAYS)
    answer = await vault.client.post(f"/v1/units/{unit['id']}/void", json={"reason": "it is bad"})
    assert answer.status_code == 200, answer.text
    await shred(db)
    assert await boxes(db, vault.merchant) == (1, 0)


async def test_a_void_lot_is_shredded_whole_but_for_what_is_held(
    vault: Vault, db: Database, rows: Any
):
    pool_id = await vault.stocked(12)
    await vault.sold(pool_id, 2)
    held = await vault.held(pool_id, 1)
    lot_id = (await vault.client.get(f"/v1/pools/{pool_id}")).json()["lots"][0]["id"]
    answer = await vault.client.post(f"/v1/lots/{lot_id}/void", json={"reason": "all are bad"})
    assert answer.status_code == 200, answer.text
    await age(db, "stock_action", vault.merchant, days=DAYS, seconds=-60)
    await shred(db, batch_units=5)
    assert await boxes(db, vault.merchant) == (12, 0)

    await age(db, "stock_action", vault.merchant, days=DAYS, seconds=1)
    await shred(db, batch_units=5)

    assert await boxes(db, vault.merchant) == (3, 9)
    assert {row.source for row in await told(rows, vault.merchant)} == {"lot"}
    assert await vault.conserved(pool_id)
    # What was held and comes back is found on the next day.
    await vault.release(held)
    await shred(db)
    assert await boxes(db, vault.merchant) == (3, 9)
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE shredded_lot SET next_at = now() WHERE next_at < 'infinity'"))
    await shred(db)
    assert await boxes(db, vault.merchant) == (2, 10)
    (row,) = await rows(
        "SELECT next_at = 'infinity' AS done FROM shredded_lot WHERE lot_id = :l", l=UUID(lot_id)
    )
    assert row.done


async def test_a_lot_that_expired_long_ago_is_shredded_whole(vault: Vault, db: Database):
    pool_id = await vault.pool()
    later = (SystemClock().now() + timedelta(days=1)).isoformat()
    await vault.add_lot(pool_id, 7, expires_at=later)
    await age(db, "lot", vault.merchant, days=DAYS, seconds=-60)
    await shred(db)
    assert await boxes(db, vault.merchant) == (7, 0)
    await age(db, "lot", vault.merchant, days=DAYS, seconds=1)
    await shred(db)
    assert await boxes(db, vault.merchant) == (0, 7)
    assert (await vault.levels(pool_id))["expired"] == 7
    assert await vault.conserved(pool_id)


@pytest.mark.timeout(180)
async def test_twenty_thousand_units_go_in_bounded_batches_each_told_in_the_log(
    vault: Vault, db: Database, rows: Any, audit_log: AuditLog
):
    units = 20_000
    pool_id = await vault.stocked(units + 10)
    for _ in range(2):
        await vault.sold(pool_id, units // 2)
    # All in one moment: no length of a window makes the batch smaller.
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=10)
    await shred(db, batch_units=3_000)

    assert await boxes(db, vault.merchant) == (10, units)
    shreddings = await told(rows, vault.merchant)
    assert sum(row.units for row in shreddings) == units
    assert max(row.units for row in shreddings) == 3_000
    assert await vault.conserved(pool_id)
    await audit_log.sequence()
    entries = {
        entry["object_id"]: entry["facts"]
        for entry in await audit_log.entries()
        if entry["action"] == "units.shredded"
    }
    for row in shreddings:
        named = await rows("SELECT unit_id FROM unit WHERE shredding_id = :s", s=row.id)
        facts = entries[str(row.id)]
        assert facts["lot_id"] == str(row.lot_id)
        assert facts["units"] == row.units == len(named)
        assert facts["units_digest"] == units_digest(each.unit_id for each in named)


async def test_a_batch_that_is_cut_off_changes_nothing_and_is_done_again(
    vault: Vault, db: Database, rows: Any
):
    await vault.sold(await vault.stocked(30), 30)
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=10)
    retention = RetentionService(days=DAYS, batch_units=10)

    async def shred_until_cut_off() -> None:
        while True:
            async with db.transaction() as tx:
                await retention.shred_due(tx)
                if await told(rows, vault.merchant):
                    raise KeyError("the second batch ends here, before its commit")

    with pytest.raises(KeyError):
        await shred_until_cut_off()
    assert (await boxes(db, vault.merchant))[1] == 10
    waiting = "SELECT count(*) AS n FROM audit_pending WHERE action = 'units.shredded'"
    before = (await rows(waiting))[0].n
    await shred(db, batch_units=10)
    assert await boxes(db, vault.merchant) == (0, 30)
    assert [row.units for row in await told(rows, vault.merchant)] == [10, 10, 10]
    assert (await rows(waiting))[0].n == before + 2


async def test_two_workers_do_not_meet(vault: Vault, db: Database, rows: Any):
    await vault.sold(await vault.stocked(200), 200)
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=10)
    await asyncio.gather(*(shred(db, batch_units=20) for _ in range(3)))
    await shred(db)
    assert await boxes(db, vault.merchant) == (0, 200)
    assert sum(row.units for row in await told(rows, vault.merchant)) == 200


async def test_what_is_shredded_stays_so(vault: Vault, db: Database, rows: Any):
    (unit,) = await vault.sold(await vault.stocked(1))
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=1)
    await shred(db)
    for statement in (
        "UPDATE unit SET shredding_id = NULL, nonce = decode(repeat('00', 24), 'hex'), box = 'x' "
        "WHERE unit_id = :u",
        "UPDATE shredding SET retention_days = 1 WHERE CAST(:u AS uuid) IS NOT NULL",
    ):
        with pytest.raises(IntegrityError):
            async with db.transaction() as tx:
                await tx.execute(text(statement), {"u": UUID(unit["unit_id"])})


async def test_a_later_round_looks_at_what_became_due_since_only(vault: Vault, db: Database):
    await vault.sold(await vault.stocked(2), 2)
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=10)
    first = await shred(db)
    assert await shred(db) == 1 < first


def test_a_backlog_is_cut_until_a_round_is_no_larger_than_its_batch():
    moment = SystemClock().now()
    full = Window(moment, moment + timedelta(hours=1), 3_600, is_last=False)
    again = full.next(5_000, 5_000)
    assert (again.until, again.slice_seconds) == (moment, 1_800)
    assert Window(moment, moment, 1, is_last=True).next(9, 9).slice_seconds == 1
    # Not full: further on, and further at once while little is found.
    assert full.next(4_999, 5_000).slice_seconds == 3_600
    on = full.next(10, 5_000)
    assert (on.until, on.slice_seconds) == (full.until, 7_200)
    longest = Window(moment, moment, SLICE_SECONDS_MAX, is_last=False)
    assert longest.next(0, 5_000).slice_seconds == SLICE_SECONDS_MAX


async def test_the_bytes_of_the_box_leave_the_file_of_the_table(
    vault: Vault, db: Database, rows: Any, service_databases: ServiceDatabases
):
    (unit,) = await vault.sold(await vault.stocked(1, prefix="GONE"))
    (row,) = await rows("SELECT box FROM unit WHERE unit_id = :u", u=UUID(unit["unit_id"]))
    box = bytes(row.box)
    (name,) = await rows("SELECT current_database() AS name")
    admin = await asyncpg.connect(service_databases.url_of(name.name))
    try:
        assert box in await _file_of_units(admin)
        await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=1)
        await shred(db)
        assert await boxes(db, vault.merchant) == (0, 1)
        # The page keeps what it held until its space is used again: this makes sure.
        await admin.execute("VACUUM FULL unit")
        assert box not in await _file_of_units(admin)
    finally:
        await admin.close()
    assert refused(await vault.reveal(unit["unit_id"], Recipient())) == (409, "unit_shredded")


async def _file_of_units(admin: Any) -> bytes:
    await admin.execute("CHECKPOINT")
    found = await admin.fetchval("SELECT pg_read_binary_file(pg_relation_filepath('unit'))")
    return bytes(found)
