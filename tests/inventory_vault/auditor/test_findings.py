"""What the auditor says, where, and what it does not take for a fault."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from auditlog import Checkpoint, SignerKey, VerifierKey, sign_checkpoint
from inventory_vault.audit.domain import ORIGIN_BEGUN
from inventory_vault.audit.service import note
from inventory_vault.auditor.anchors import Anchor, TrustedKeys, read_anchors
from inventory_vault.auditor.commands import verify_snapshot
from inventory_vault.auditor.findings import SHOWN_MAX, Findings
from inventory_vault.sequencer.folder import FolderTrouble
from inventory_vault.sequencer.origins import begin_anew
from inventory_vault.settings import Settings
from kit.db import Database
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.factories import Recipient, Vault

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def log(db: Database, folder: Path) -> AuditLog:
    log = AuditLog(db, folder / "audit", folder / "audit.key")
    await log.forget()
    return log


@pytest.fixture
async def filled(log: AuditLog, merchant: UUID) -> AuditLog:
    """Three rounds: 3, 5 and 9 entries."""
    for count in (3, 2, 4):
        await log.tell(merchant, count)
        await log.sequence()
    return log


async def _verified(log: AuditLog, keys: Sequence[VerifierKey] = ()) -> Findings:
    """With all that the sequencer's own file kept."""
    findings = Findings()
    trusted = TrustedKeys(list(keys) or [log.key])
    anchors = read_anchors([log.folder.path], trusted, findings)
    await verify_snapshot(log.db, trusted, anchors, findings)
    return findings


async def test_a_whole_log_is_in_order(filled: AuditLog):
    found = await _verified(filled)
    assert (found.shown, found.notices) == ([], [])
    assert (found.entries, found.checkpoints, found.anchors) == (9, 3, 3)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE audit_entry SET leaf = leaf || ' ' WHERE seq = 4", "entry 4 ("),
        ("UPDATE audit_entry SET action = 'x.y' WHERE seq = 4", "entry 4 ("),
        ("DELETE FROM audit_entry WHERE seq = 4", "entry 5: stands where entry 4 belongs"),
        ("UPDATE audit_tile SET hashes = sha256('x')", "tile (0, 0)"),
        ("DELETE FROM audit_tile", "tile (0, 0)"),
        ("UPDATE audit_checkpoint SET note = 'x' WHERE size = 5", "checkpoint 5: "),
        ("DELETE FROM audit_checkpoint WHERE size = 5", "checkpoints.jsonl:2: the database lacks"),
        ("DELETE FROM audit_checkpoint WHERE size = 9", "log: 9 entries, but only 5 are signed"),
        ("DELETE FROM audit_entry WHERE seq > 4", "checkpoints.jsonl:3: signed 9 entries"),
        ("DELETE FROM audit_entry WHERE seq > 4", "checkpoint 9: the entries do not lead up"),
    ],
)
async def test_it_says_what_is_wrong_and_where(filled: AuditLog, change: str, where: str):
    await filled.change(change)
    found = await _verified(filled)
    assert any(where in line for line in found.shown), found.shown


async def test_a_guard_that_is_switched_off_is_a_finding(filled: AuditLog):
    async with filled.db.transaction() as tx:
        await tx.execute(text("ALTER TABLE audit_tile DISABLE TRIGGER audit_tile_stays"))
    found = await _verified(filled)
    async with filled.db.transaction() as tx:
        await tx.execute(text("ALTER TABLE audit_tile ENABLE TRIGGER audit_tile_stays"))

    assert found.shown == ["trigger audit_tile_stays: it is gone or switched off"]
    assert (await _verified(filled)).is_clean


async def test_books_and_entries_are_held_against_each_other(vault: Vault, log: AuditLog):
    pool_id = await vault.stocked(5)
    units = (await vault.claim(await vault.held(pool_id, 2), Recipient())).json()["units"]
    await vault.reveal(units[0]["unit_id"], Recipient())
    # Still in the queue, and told already.
    await log.tell(vault.merchant)
    nothing_signed = Findings()
    await verify_snapshot(log.db, TrustedKeys([]), [], nothing_signed)
    assert nothing_signed.is_clean
    await log.sequence()
    assert (await _verified(log)).is_clean

    async with log.db.transaction() as tx:
        await tx.execute(text("ALTER TABLE unit_view DISABLE TRIGGER USER"))
        await tx.execute(text("UPDATE unit_view SET viewer_id = 'other'"))
        await tx.execute(text("ALTER TABLE unit_view ENABLE TRIGGER USER"))
    (line,) = (await _verified(log)).shown
    assert line.startswith("view ")
    assert line.endswith(": viewer_digest")


async def test_what_is_older_than_the_log_is_no_fault_but_what_is_newer_is(
    vault: Vault, log: AuditLog
):
    """A vault that had stock before it had a log."""
    pool_id = await vault.stocked(5)
    units = (await vault.claim(await vault.held(pool_id, 2), Recipient())).json()["units"]
    await vault.reveal(units[0]["unit_id"], Recipient())
    lot_id = units[0]["lot_id"]
    for action in ("quarantine", "restore"):
        await vault.client.post(f"/v1/lots/{lot_id}/{action}", json={"reason": "old"})
    await log.change("TRUNCATE audit_pending")
    empty = Findings()
    await verify_snapshot(log.db, TrustedKeys([]), [], empty)
    assert empty.shown == []
    await vault.client.post(f"/v1/lots/{lot_id}/quarantine", json={"reason": "new"})
    await log.sequence()

    found = await _verified(log)

    assert found.shown == []
    assert found.notices == [
        f"{what}: {count} from before the log began, of which no entry tells"
        for what, count in (
            ("sale of reservation", 1),
            ("hand-out", 1),
            ("view", 1),
            ("act on lot", 2),
            ("import", 1),
        )
    ]
    async with log.db.transaction() as tx:
        await tx.execute(text("ALTER TABLE stock_action DISABLE TRIGGER USER"))
        await tx.execute(
            text(
                "UPDATE stock_action SET acted_at = '2020-01-01', reason = 'x' WHERE reason = 'new'"
            )
        )
        await tx.execute(text("ALTER TABLE stock_action ENABLE TRIGGER USER"))
    (line,) = (await _verified(log)).shown
    assert line.endswith(f"tells of the act on lot {lot_id} once more")


async def test_a_viewer_that_was_erased_with_its_salt_leaves_the_log_whole(
    vault: Vault, log: AuditLog
):
    pool_id = await vault.stocked(1)
    (unit,) = await vault.sold(pool_id)
    await vault.reveal(unit["unit_id"], Recipient())
    await log.sequence()

    async with log.db.transaction() as tx:
        await tx.execute(text("ALTER TABLE unit_view DISABLE TRIGGER USER"))
        await tx.execute(
            text("UPDATE unit_view SET viewer_id = '', ip = NULL, user_agent = NULL, salt = NULL")
        )
        await tx.execute(text("ALTER TABLE unit_view ENABLE TRIGGER USER"))

    assert (await _verified(log)).is_clean


async def test_anchors_are_read_from_notes_lines_and_folders(filled: AuditLog, tmp_path: Path):
    rows = await filled.rows("SELECT note FROM audit_checkpoint ORDER BY size")
    notes = [row.note for row in rows]
    (tmp_path / "one.note").write_text(notes[0])
    (tmp_path / "topic.jsonl").write_bytes(
        b"\n".join(orjson.dumps({"origin": "x", "note": note}) for note in notes[1:])
    )
    (tmp_path / "vkey").write_text("not read")
    findings = Findings()

    found = read_anchors([tmp_path], TrustedKeys([filled.key]), findings)

    assert [anchor.checkpoint.size for anchor in found] == [3, 5, 9]
    assert findings.is_clean


async def test_an_anchor_that_this_log_did_not_sign_is_a_finding(filled: AuditLog, tmp_path: Path):
    stranger = SignerKey(filled.key.name, b"s" * 32)
    (tmp_path / "a.note").write_text(
        sign_checkpoint(Checkpoint(filled.key.name, 3, b"r" * 32), stranger)
    )
    (tmp_path / "b.jsonl").write_text('{"no": "note"}\n{broken\n')
    findings = Findings()

    assert read_anchors([tmp_path], TrustedKeys([filled.key]), findings) == []
    assert [line.split(":")[0] for line in findings.shown] == [
        str(tmp_path / "a.note"),
        str(tmp_path / "b.jsonl"),
        str(tmp_path / "b.jsonl"),
    ]


async def test_findings_are_counted_past_what_is_shown():
    findings = Findings()
    for number in range(SHOWN_MAX + 5):
        findings.add(f"entry {number}", "wrong")
    assert (findings.count, len(findings.shown)) == (SHOWN_MAX + 5, SHOWN_MAX)


async def _restored_to_five(log: AuditLog) -> None:
    """As a backup taken at 5 entries would leave the database."""
    await log.change("DELETE FROM audit_entry WHERE seq >= 5")
    await log.change("DELETE FROM audit_checkpoint WHERE size > 5")
    await log.change("UPDATE audit_tile SET hashes = substr(hashes, 1, 5 * 32)")


async def test_after_a_restore_the_log_goes_on_under_a_new_name_that_tells_of_it(
    filled: AuditLog, merchant: UUID
):
    old = filled.key
    await _restored_to_five(filled)
    assert await filled.sequencer.run() is False
    await filled.tell(merchant, 2)

    state = await begin_anew(filled.db, filled.folder, "disk lost")
    await filled.sequence()

    entries = await filled.entries()
    assert entries[5]["action"] == ORIGIN_BEGUN
    facts = entries[5]["facts"]
    assert (facts["old_origin"], facts["origin"]) == (old.name, state.origin)
    assert facts["reason"] == "disk lost"
    assert f"{old.name}\n9\n" in facts["old_checkpoint"]
    found = await _verified(filled)
    # The alarm about the shrunken log is in it too.
    assert found.shown == []
    assert [line.split(": ")[1] for line in found.notices] == [
        f"entries 5 to 8 of {old.name} were lost in the restore that entry 5 tells of"
    ]
    assert filled.state.origin == state.origin != old.name


async def test_a_new_name_is_begun_once_and_survives_a_crash_in_between(
    filled: AuditLog, merchant: UUID
):
    old = filled.key
    await _restored_to_five(filled)
    first = await begin_anew(filled.db, filled.folder, "first try")
    second = await begin_anew(filled.db, filled.folder, "second try")
    await filled.tell(merchant)
    await filled.sequence()

    assert first.origin != second.origin == filled.state.origin
    assert (await filled.entries())[5]["facts"]["old_origin"] == old.name
    assert (await _verified(filled)).shown == []


async def test_a_new_name_is_not_begun_while_a_sequencer_works(filled: AuditLog):
    with filled.folder.locked() as is_ours:
        assert is_ours
        with pytest.raises(FolderTrouble, match="stop the vault"):
            await begin_anew(filled.db, filled.folder, "too early")


async def test_an_entry_that_only_pretends_to_begin_a_new_name_is_a_finding(
    filled: AuditLog, merchant: UUID
):
    """It would excuse the loss of entries."""
    async with filled.db.transaction() as tx:
        note(
            tx,
            ORIGIN_BEGUN,
            merchant,
            merchant_id=None,
            actor="operator",
            origin="lockstock/forged",
            old_origin=filled.state.origin,
            old_checkpoint=filled.state.confirmed.note,
        )
    await filled.sequence()

    (line,) = (await _verified(filled)).shown
    assert line == "entry 9: it begins lockstock/forged, which then signed nothing"


async def test_a_lost_tail_without_a_word_about_it_is_no_restore(filled: AuditLog):
    keys = TrustedKeys([filled.key])
    kept = keys.open(filled.state.confirmed.note or "")
    await _restored_to_five(filled)
    findings = Findings()

    await verify_snapshot(filled.db, keys, [Anchor(kept, "", "kept")], findings)

    assert findings.shown == ["kept: signed 9 entries, the log has 5: its end is gone"]
    assert findings.notices == []


async def _command(settings: Settings, folder: Path, *arguments: str) -> tuple[int, str]:
    values = {
        "database_url": settings.database_url.get_secret_value(),
        "kafka_bootstrap": settings.kafka_bootstrap,
        "internal_secret": settings.internal_secret.get_secret_value(),
        "audit_folder": str(folder / "audit"),
        "audit_key_file": str(folder / "audit.key"),
        "log_level": "ERROR",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "inventory_vault", *arguments),
        env={**os.environ, **{f"INVENTORY_VAULT_{k.upper()}": v for k, v in values.items()}},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    return process.returncode or 0, told.decode()


async def test_the_command_says_what_it_found_and_exits_so(
    filled: AuditLog, settings: Settings, folder: Path, tmp_path: Path
):
    key = str(filled.key)
    (tmp_path / "kept.note").write_text(filled.state.confirmed.note or "")
    anchors = ("--anchors", str(tmp_path))

    whole = await _command(settings, folder, "audit-verify", *anchors, "--key", key)
    await filled.change("UPDATE audit_entry SET leaf = leaf || ' ' WHERE seq = 4")
    changed = await _command(settings, folder, "audit-verify", *anchors)
    unread = await _command(settings, folder, "audit-verify", "--anchors", str(tmp_path / "none"))
    no_key = await _command(settings, tmp_path, "audit-verify")
    bad_key = await _command(settings, tmp_path, "audit-verify", "--key", "nonsense")

    assert whole == (0, "9 entries, 3 checkpoints, 3 kept outside: all is as it was signed\n")
    assert changed[0] == 1
    assert "WRONG entry 4 (" in changed[1]
    assert "NOT as it was signed" in changed[1]
    assert [unread[0], no_key[0], bad_key[0]] == [2, 2, 2]
    assert "--key" in no_key[1]


async def test_the_command_begins_a_new_name(filled: AuditLog, settings: Settings, folder: Path):
    old = filled.state.origin
    await _restored_to_five(filled)

    code, told = await _command(settings, folder, "audit-new-origin", "--reason", "disk lost")
    verified = await _command(settings, folder, "audit-verify")

    assert code == 0, told
    assert filled.state.vkey in told
    assert filled.state.origin != old
    assert verified[0] == 0, verified[1]
    assert "NOTICE" in verified[1]
