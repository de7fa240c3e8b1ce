"""Somebody with every right in the database changes the log: one checkpoint kept outside tells."""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.auditor import repository
from inventory_vault.auditor.anchors import Anchor, TrustedKeys
from inventory_vault.auditor.commands import verify_log, verify_snapshot
from inventory_vault.auditor.findings import Findings
from kit.db import Database, Transaction
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.auditor.attacks import ATTACKS, Attack, Scene
from tests.inventory_vault.factories import Recipient, Vault

TIMES = int(os.environ.get("AUDIT_ATTACKS", "1000"))
CLEAN_LOGS = int(os.environ.get("AUDIT_CLEAN_LOGS", "100"))
SEED = int(os.environ.get("AUDIT_SEED", "7"))
T = TypeVar("T")
FILLED_TO = 270
"""Entries: more than one tile holds."""


class Undone(Exception):
    """Takes an attack back."""


@asynccontextmanager
async def undone(part: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """A transaction or savepoint whose changes do not stay."""
    with suppress(Undone):
        async with part as value:
            yield value
            raise Undone


@pytest.fixture
async def log(db: Database, folder: Path) -> AsyncIterator[AuditLog]:
    log = AuditLog(db, folder / "audit", folder / "audit.key")
    await log.forget()
    yield log
    await log.forget()


async def _trade(vault: Vault, log: AuditLog) -> None:
    """Sales, hand-outs, views, a release; the last sale's entry waits in the queue."""
    pool_id = await vault.stocked(30)
    for quantity in (1, 3, 2):
        sale = await vault.held(pool_id, quantity)
        units = (await vault.claim(sale, Recipient())).json()["units"]
        await vault.reveal(units[0]["unit_id"], Recipient())
        await log.sequence()
    await vault.release(await vault.held(pool_id))
    await log.tell(vault.merchant, FILLED_TO)
    await log.sequence()
    await vault.sold(pool_id, 2)


async def _verified(tx: Transaction, log: AuditLog) -> Findings:
    """With the newest checkpoint as the only one that was kept outside."""
    findings = Findings()
    note = log.state.confirmed.note
    assert note is not None
    keys = TrustedKeys([log.key])
    await verify_log(tx, keys, [Anchor(keys.open(note), note, "kept")], findings)
    return findings


async def _attacked(tx: Transaction, log: AuditLog, attack: Attack, chance: random.Random) -> bool:
    """Whether it was found out; the database is as before."""
    async with undone(tx.savepoint()):
        entries = list(await tx.execute(text("SELECT * FROM audit_entry ORDER BY seq")))
        heads = list(await tx.execute(text("SELECT * FROM audit_checkpoint ORDER BY size")))
        await attack(Scene(tx, chance, entries, heads))
        found = await _verified(tx, log)
    return not found.is_clean


@pytest.mark.timeout(300)
async def test_a_thousand_attacks_with_full_sql_rights_are_all_found(vault: Vault, log: AuditLog):
    await _trade(vault, log)
    chance = random.Random(SEED)
    tried: Counter[str] = Counter()
    missed: list[str] = []
    async with undone(log.db.transaction()) as tx:
        await repository.unlimit(tx)
        for table in (*log.TABLES, "unit_sale", "unit_view", "handout"):
            await tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        before = await _verified(tx, log)
        for number in range(TIMES):
            attack = ATTACKS[number % len(ATTACKS)]
            tried[attack.__name__] += 1
            if not await _attacked(tx, log, attack, chance):
                missed.append(f"{attack.__name__} (number {number}, seed {SEED})")
        after = await _verified(tx, log)

    assert (before.shown, after.shown) == ([], [])
    assert missed == []
    assert tried.total() == TIMES
    assert len(tried) == min(TIMES, len(ATTACKS))


@pytest.mark.timeout(300)
async def test_a_hundred_clean_logs_raise_no_false_alarm(
    db: Database, folder: Path, log: AuditLog, merchant: UUID
):
    chance = random.Random(SEED)
    for number in range(CLEAN_LOGS):
        await log.forget()
        one = AuditLog(
            db,
            folder / f"audit-{number}",
            folder / "audit.key",
            batch_max=chance.choice([7, 100, 5_000]),
        )
        for _ in range(chance.randint(1, 4)):
            await one.tell(merchant, chance.randint(1, 90))
            if chance.random() < 0.8:
                await one.sequence()
        if one.folder.read() is None:
            await one.sequence()

        findings = Findings()
        keys = TrustedKeys([one.key])
        notes = [row.note for row in await one.rows("SELECT note FROM audit_checkpoint")]
        kept = [Anchor(keys.open(note), note, "kept") for note in notes]
        kept.sort(key=lambda anchor: anchor.checkpoint.size)
        await verify_snapshot(db, keys, kept, findings)

        assert findings.shown == [], number
        assert findings.checkpoints == len(notes)
