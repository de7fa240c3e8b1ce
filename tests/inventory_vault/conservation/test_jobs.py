"""The standing check: alarms when books or rows are broken, silent while all is well."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from kit.service import Service
from tests.inventory_vault.factories import Vault
from tests.inventory_vault.raw_lots import add_raw_lot


async def _check(service: Service) -> None:
    job = next(job for job in service.jobs if job.name == "check-conservation")
    assert not await job._run()


async def _alarms(rows, vault: Vault) -> list[Any]:
    return list(
        await rows(
            "SELECT object_id, details FROM alarm "
            "WHERE merchant_id = :m AND kind = 'conservation_broken' AND closed_at IS NULL",
            m=vault.merchant,
        )
    )


async def _break(service: Service, *statements: str, lot: str) -> None:
    async with service.db.transaction() as tx:
        for statement in statements:
            await tx.execute(text(statement), {"lot": lot} if ":lot" in statement else {})


async def test_healthy_lots_raise_no_alarm_also_under_sales(vault: Vault, service: Service, rows):
    pool_id = await vault.stocked(60)

    async def buyer() -> None:
        for _ in range(6):
            held = await vault.held(pool_id)
            await (vault.release(held) if hash(held) % 2 else vault.claim(held))

    async def checks() -> None:
        for _ in range(6):
            await _check(service)

    await asyncio.gather(*(buyer() for _ in range(8)), checks())
    assert await _alarms(rows, vault) == []
    [row] = await rows("SELECT holds FROM lot_check WHERE merchant_id = :m", m=vault.merchant)
    assert row.holds is True


@pytest.mark.parametrize(
    ("name", "statements"),
    [
        (
            "a hold's row is deleted",
            (
                "ALTER TABLE allocation DISABLE TRIGGER USER",
                "DELETE FROM allocation WHERE lot_id = :lot AND state = 'sold'",
                "ALTER TABLE allocation ENABLE TRIGGER USER",
            ),
        ),
        ("a tally is raised", ("UPDATE lot_tally SET sold = sold + 1 WHERE lot_id = :lot",)),
        ("more is sold than came in", ("UPDATE lot_tally SET sold = 9 WHERE lot_id = :lot",)),
        ("a unit is deleted", ("DELETE FROM unit WHERE lot_id = :lot AND seq = 5",)),
        ("the free list lies", ("UPDATE lot SET free_count = 1 WHERE id = :lot",)),
    ],
)
async def test_a_broken_lot_raises_an_alarm_with_its_figures(
    vault: Vault, service: Service, db, rows, name: str, statements: tuple[str, ...]
):
    pool_id = await vault.pool()
    lot_id = await add_raw_lot(db, vault.merchant, pool_id, 5)
    await vault.sold(pool_id, 2)
    await _break(service, *statements, lot=lot_id)

    await _check(service)

    alarms = await _alarms(rows, vault)
    assert [str(alarm.object_id) for alarm in alarms] == [lot_id], name
    assert "levels" in str(alarms[0].details)


async def test_every_lot_comes_round(vault: Vault, service: Service, db, rows, monkeypatch):
    monkeypatch.setattr("inventory_vault.conservation.service.ROUND_UNITS_MAX", 10)
    pool_id = await vault.pool()
    lots = {await add_raw_lot(db, vault.merchant, pool_id, 5) for _ in range(6)}
    for _ in range(40):
        await _check(service)
        checked = await rows(
            "SELECT lot_id FROM lot_check WHERE merchant_id = :m", m=vault.merchant
        )
        if {str(row.lot_id) for row in checked} == lots:
            return
    raise AssertionError("some lots are never checked")
