"""A box that somebody emptied by hand does not pass for one that was shredded."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.auditor.anchors import TrustedKeys
from inventory_vault.auditor.commands import verify_snapshot
from inventory_vault.auditor.findings import Findings
from kit.db import Database
from kit.ids import new_id
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.factories import Recipient, Vault
from tests.inventory_vault.retention.ageing import DAYS, age, shred
from tests.inventory_vault.tills import refused

EMPTY = "UPDATE unit SET box = '' WHERE unit_id = :u"
SHREDDING = """
    INSERT INTO shredding (id, merchant_id, lot_id, source, units, retention_days, shredded_at)
    SELECT :id, merchant_id, lot_id, 'sale', 1, :days, clock_timestamp() FROM unit
    WHERE unit_id = :u
"""
AS_SHREDDED = "UPDATE unit SET box = '', nonce = '', shredding_id = :id WHERE unit_id = :u"


async def _forge(db: Database, unit_id: UUID, *, days: int, tells: bool) -> None:
    """All that somebody with SQL rights can write by himself."""
    forged = new_id()
    async with db.transaction() as tx:
        await tx.execute(text(SHREDDING), {"id": forged, "u": unit_id, "days": days})
        await tx.execute(text(AS_SHREDDED), {"id": forged, "u": unit_id})
        if tells:
            await tx.execute(
                text(
                    "INSERT INTO audit_pending (entry_id, merchant_id, object_id, action, leaf, "
                    "leaf_hash) SELECT :e, merchant_id, :id, 'units.shredded', '{}', "
                    "sha256('\\x007b7d') FROM unit WHERE unit_id = :u"
                ),
                {"e": new_id(), "id": forged, "u": unit_id},
            )


async def _reasons(rows: Any, unit_id: UUID) -> list[str]:
    found = await rows(
        "SELECT details FROM alarm WHERE kind = 'box_refused' AND object_id = :u", u=unit_id
    )
    return [row.details["reason"] for row in found]


async def test_a_box_that_is_merely_emptied_is_refused_and_alarmed(
    vault: Vault, db: Database, rows: Any
):
    (unit,) = await vault.sold(await vault.stocked(1))
    unit_id = UUID(unit["unit_id"])
    async with db.transaction() as tx:
        await tx.execute(text(EMPTY), {"u": unit_id})
    await age(db, "unit_sale", vault.merchant, days=2 * DAYS)
    assert refused(await vault.reveal(str(unit_id), Recipient())) == (409, "unit_unopenable")
    assert await _reasons(rows, unit_id) == ["unopenable"]


@pytest.mark.parametrize(
    ("sold_days_ago", "retention_days", "tells"),
    [(0, DAYS, True), (0, 1, True), (DAYS - 1, DAYS, True), (2 * DAYS, DAYS, False)],
    ids=["fresh", "fresh, as if after a day", "a day too early", "without an entry in the log"],
)
async def test_a_forged_shredding_is_refused_and_alarmed(
    vault: Vault,
    db: Database,
    rows: Any,
    sold_days_ago: int,
    retention_days: int,
    tells: bool,
):
    (unit,) = await vault.sold(await vault.stocked(1))
    unit_id = UUID(unit["unit_id"])
    await age(db, "unit_sale", vault.merchant, days=sold_days_ago)
    await _forge(db, unit_id, days=retention_days, tells=tells)

    assert refused(await vault.reveal(str(unit_id), Recipient())) == (409, "unit_unopenable")

    assert await _reasons(rows, unit_id) == ["unopenable"]
    if tells:
        async with db.transaction() as tx:
            await tx.execute(text("ALTER TABLE audit_pending DISABLE TRIGGER USER"))
            await tx.execute(text("DELETE FROM audit_pending WHERE leaf = '{}'"))
            await tx.execute(text("ALTER TABLE audit_pending ENABLE TRIGGER USER"))


async def test_the_auditor_finds_forged_shreddings_and_accepts_true_ones(
    vault: Vault, db: Database, audit_log: AuditLog
):
    await audit_log.forget()
    async with db.transaction() as tx:
        await tx.execute(text("ALTER TABLE unit DISABLE TRIGGER USER"))
        await tx.execute(text("ALTER TABLE shredding DISABLE TRIGGER USER"))
        await tx.execute(text("DELETE FROM unit WHERE shredding_id IS NOT NULL"))
        await tx.execute(text("DELETE FROM shredding"))
        await tx.execute(text("ALTER TABLE unit ENABLE TRIGGER USER"))
        await tx.execute(text("ALTER TABLE shredding ENABLE TRIGGER USER"))
    units = await vault.sold(await vault.stocked(4, prefix="TRUE"), 3)
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=1)
    await shred(db)
    assert await _found(db) == []

    others = await vault.sold(await vault.stocked(2, prefix="OTHER"), 2)
    unit_id = UUID(others[0]["unit_id"])
    await _forge(db, unit_id, days=DAYS, tells=False)
    (line,) = await _found(db)
    assert line.startswith("shredding ")
    assert line.endswith("no entry tells of it")

    # One more unit beside the true ones.
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE unit SET box = '', nonce = '', shredding_id = (SELECT shredding_id "
                "FROM unit WHERE unit_id = :true) WHERE unit_id = :u"
            ),
            {"true": UUID(units[0]["unit_id"]), "u": UUID(others[1]["unit_id"])},
        )
    assert any(line.endswith("units, units_digest") for line in await _found(db))


async def _found(db: Database) -> list[str]:
    findings = Findings()
    await verify_snapshot(db, TrustedKeys([]), [], findings)
    return findings.shown
