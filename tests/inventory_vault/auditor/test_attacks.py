"""Somebody with every right in the database changes the log: one checkpoint kept outside tells."""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from inventory_vault.auditor import repository
from inventory_vault.auditor.anchors import Anchor, TrustedKeys
from inventory_vault.auditor.commands import verify_log, verify_snapshot
from inventory_vault.auditor.findings import Findings
from inventory_vault.opener.keyring import load_keyring
from inventory_vault.opener.rotation import Rotation
from inventory_vault.settings import Settings
from kit.db import Database, Transaction
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.auditor.attacks_on_books import ON_BOOKS
from tests.inventory_vault.auditor.attacks_on_log import ON_LOG
from tests.inventory_vault.auditor.scene import Attack, Scene
from tests.inventory_vault.boxes.factories import a_shop
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import Recipient, Vault
from tests.inventory_vault.tills import Till, money

# AUDIT_ATTACKS=1000 AUDIT_CLEAN_LOGS=100 is the size that the suite must show. Each attack takes
# its target by chance, so more of them try more places.
TIMES = int(os.environ.get("AUDIT_ATTACKS", "62"))
CLEAN_LOGS = int(os.environ.get("AUDIT_CLEAN_LOGS", "15"))
SEED = int(os.environ.get("AUDIT_SEED", "7"))
ATTACKS = (*ON_LOG, *ON_BOOKS)
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
    """Sales, hand-outs, views, a release, acts on stock, redemptions."""
    pool_id = await vault.stocked(30)
    for quantity in (1, 3, 2):
        sale = await vault.held(pool_id, quantity)
        units = (await vault.claim(sale, Recipient())).json()["units"]
        await vault.reveal(units[0]["unit_id"], Recipient())
        await log.sequence()
    await vault.release(await vault.held(pool_id))
    await _import_in_each_way(vault)
    await _act_on_stock(vault, log)
    await _redeem(Till(vault))
    await log.tell(vault.merchant, FILLED_TO)


async def _import_in_each_way(vault: Vault) -> None:
    """Completed from a file, without a new code, sealed, undone, failed."""
    pool_id = await vault.stocked(4, prefix="WAYS")
    assert (await vault.imported(pool_id, "WAYS-000001\n"))["accepted"] == 0
    sealed = await a_shop(vault, pool_id=pool_id)
    await sealed.stored(sealed.units(["SEALED-1", "SEALED-2"]))
    await sealed.completed()
    undone = await vault.add_lot(pool_id, 2, prefix="UNDONE")
    await _act(vault.client, f"/v1/lots/{undone['lot_id']}/undo")
    failed = await vault.imported(await vault.pool("card"), "卡号,面值\n1,2\n")
    assert failed["status"] == "failed"


async def _act_on_stock(vault: Vault, log: AuditLog) -> None:
    """On a unit, on a lot, on what a filter names."""
    pool_id = await vault.pool()
    lot_id = (await vault.add_lot(pool_id, 4, prefix="ACTS"))["lot_id"]
    (unit, *_) = await log.rows("SELECT unit_id FROM unit WHERE lot_id = :l", l=UUID(lot_id))
    for action in ("quarantine", "restore", "quarantine"):
        await _act(vault.client, f"/v1/units/{unit.unit_id}/{action}")
        await _act(vault.client, f"/v1/lots/{lot_id}/{action}")
    wanted = {"action": "void", "filter": {"pool_id": pool_id}}
    await _act(vault.client, "/v1/stock-actions", **wanted)


async def _redeem(till: Till) -> None:
    first, second = await till.sold(2)
    await till.redeemed(first, amount=money(20))
    back = await till.redeemed(first, amount=money(15))
    await till.redeemed(second)
    assert (await till.roll_back(back["id"])).status_code == 200


async def _rotate(db: Database, settings: Settings, platform: httpx.AsyncClient) -> None:
    """To the point where there is a new key, and the old one opens only."""
    await _act(platform, "/v1/sealing-keys/rotate")
    await Rotation(db, await load_keyring(db, settings), grace_seconds=60).step()


async def _act(client: httpx.AsyncClient, path: str, **fields: object) -> None:
    answer = await client.post(path, json={"reason": "a reason", **fields})
    assert answer.is_success, answer.text


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


@pytest.mark.timeout(120 + TIMES)
async def test_attacks_with_full_sql_rights_are_all_found(
    vault: Vault, log: AuditLog, settings: Settings, api: OpenClient
):
    await _trade(vault, log)
    await _rotate(log.db, settings, await api("keys:rotate", merchant_id=None))
    await log.sequence()
    # A sale whose entry waits in the queue.
    await vault.sold(await vault.stocked(2, prefix="LAST"), 2)
    chance = random.Random(SEED)
    tried: Counter[str] = Counter()
    missed: list[str] = []
    async with undone(log.db.transaction()) as tx:
        await repository.unlimit(tx)
        for table in (*log.TABLES, *log.BOOKS, "sealing_key"):
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


@pytest.mark.timeout(120 + 3 * CLEAN_LOGS)
async def test_clean_logs_raise_no_false_alarm(
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
