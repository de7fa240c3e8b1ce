"""Every entry gets one place, every checkpoint is true, any doubt is said aloud."""

import asyncio
import stat
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from auditlog import EMPTY_ROOT, open_checkpoint, root_of, shape_of
from inventory_vault.audit.domain import AUDIT_LOG
from inventory_vault.audit.jobs import watch_log
from inventory_vault.audit.service import AuditService
from kit.db import Database
from kit.ids import new_id
from tests.inventory_vault.audit.logs import AuditLog

pytestmark = pytest.mark.timeout(180)
WRITERS = 24
TOLD_EACH = 25


@pytest.fixture
async def log(db: Database, folder: Path) -> AuditLog:
    """A log that begins here: what earlier tests left is gone, as with a new database."""
    log = AuditLog(db, folder / "audit", folder / "audit.key")
    await log.forget()
    return log


async def _alarms(log: AuditLog, kind: str) -> list[dict[str, object]]:
    found = await log.rows("SELECT object_id, details FROM alarm WHERE kind = :kind", kind=kind)
    return [{"object_id": row.object_id, **row.details} for row in found]


async def _require_whole(log: AuditLog, entries: int) -> None:
    """Places without gaps, every checkpoint true to the stored entries, tiles in shape."""
    rows = await log.rows("SELECT seq, leaf_hash FROM audit_entry ORDER BY seq")
    assert [row.seq for row in rows] == list(range(entries))
    hashes = [row.leaf_hash for row in rows]
    checkpoints = await log.checkpoints()
    for checkpoint in checkpoints:
        assert checkpoint.root == root_of(hashes[: checkpoint.size])
    assert checkpoints[-1].size == entries
    tiles = await log.rows("SELECT level, idx, octet_length(hashes) AS length FROM audit_tile")
    assert {(row.level, row.idx): row.length for row in tiles} == shape_of(entries)


async def test_entries_get_places_and_a_signed_checkpoint(log: AuditLog, merchant: UUID):
    await log.tell(merchant, 3)
    await log.sequence()
    await log.tell(merchant, 2)
    await log.sequence()

    await _require_whole(log, 5)
    assert [checkpoint.size for checkpoint in await log.checkpoints()] == [3, 5]
    assert [entry["facts"]["number"] for entry in await log.entries()] == [0, 1, 2, 0, 1]
    assert await log.rows("SELECT 1 FROM audit_pending") == []


async def test_checkpoints_go_to_the_topic_and_to_the_file(log: AuditLog, merchant: UUID):
    await log.tell(merchant, 3)
    await log.sequence()

    (event,) = await log.rows(
        "SELECT topic, payload FROM event_log WHERE key = :origin", origin=log.state.origin
    )
    lines = (log.folder.path / "checkpoints.jsonl").read_text().splitlines()

    assert event.topic == "lockstock.inventory-vault.audit-checkpoint"
    note = log.state.confirmed.note or ""
    assert note.encode() in event.payload
    assert [orjson.loads(line)["note"] for line in lines] == [note]
    assert open_checkpoint(note, [log.key]).size == 3


async def test_batches_are_bounded_and_grow_over_tiles(
    db: Database, folder: Path, log: AuditLog, merchant: UUID
):
    small = AuditLog(db, folder / "audit", folder / "audit.key", batch_max=100)
    await log.tell(merchant, 730)

    assert await small.sequencer.run() is True
    await small.sequence()

    await _require_whole(small, 730)
    assert [checkpoint.size for checkpoint in await small.checkpoints()] == [
        *range(100, 701, 100),
        730,
    ]


async def test_key_and_files_are_for_their_owner_only(log: AuditLog, merchant: UUID):
    await log.tell(merchant)
    await log.sequence()
    names = ("state.json", "checkpoints.jsonl", "lock", "../audit.key")
    for name in names:
        assert stat.S_IMODE((log.folder.path / name).stat().st_mode) == 0o600, name


async def test_many_writers_while_sequencers_take_turns_lose_nothing(
    db: Database, folder: Path, log: AuditLog, merchant: UUID
):
    others = [AuditLog(db, folder / "audit", folder / "audit.key", batch_max=37) for _ in range(3)]
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(TOLD_EACH):
            await log.tell(merchant, 2)

    async def sequence(one: AuditLog) -> None:
        while not done.is_set():
            await one.sequencer.run()
            await asyncio.sleep(0)

    sequencers = [asyncio.create_task(sequence(one)) for one in others]
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    done.set()
    await asyncio.gather(*sequencers)
    await log.sequence()

    await _require_whole(log, WRITERS * TOLD_EACH * 2)
    ids = [entry["entry_id"] for entry in await log.entries()]
    assert len(set(ids)) == len(ids)


async def test_the_log_is_append_only_and_tiles_only_grow(
    db: Database, log: AuditLog, merchant: UUID
):
    await log.tell(merchant, 2)
    await log.sequence()
    refused = (
        "UPDATE audit_entry SET action = 'x'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "UPDATE audit_checkpoint SET note = 'x'",
        "DELETE FROM audit_checkpoint",
        "TRUNCATE audit_checkpoint",
        "UPDATE audit_tile SET hashes = substr(hashes, 1, 32)",
        "UPDATE audit_tile SET hashes = sha256('') || sha256('')",
        "UPDATE audit_tile SET idx = 7",
        "DELETE FROM audit_tile",
        "TRUNCATE audit_tile",
    )
    for statement in refused:
        with pytest.raises(IntegrityError):
            async with db.transaction() as tx:
                await tx.execute(text(statement))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("leaf = leaf || ' '", "does not have the stored hash"),
        ("leaf_hash = sha256(leaf)", "does not have the stored hash"),
        ("object_id = gen_random_uuid()", "the column object_id"),
        ("action = 'thing.undone'", "the column action"),
        ("merchant_id = NULL", "the column merchant_id"),
        ("leaf = 'no json', leaf_hash = sha256('\\x00'::bytea || 'no json')", "is not JSON"),
        (
            "leaf = leaf || ' ', leaf_hash = sha256('\\x00'::bytea || leaf || ' ')",
            "is not canonical",
        ),
    ],
)
async def test_an_entry_changed_in_the_queue_keeps_its_place_and_is_alarmed(
    log: AuditLog, merchant: UUID, change: str, reason: str
):
    await log.tell(merchant, 3)
    _, entry, _ = await log.rows("SELECT entry_id FROM audit_pending ORDER BY entry_id")
    await log.change(
        f"UPDATE audit_pending SET {change} WHERE entry_id = :id",  # noqa: S608 - our own changes
        id=entry.entry_id,
    )

    await log.sequence()

    (alarm,) = await _alarms(log, "audit_tampered")
    assert alarm["object_id"] == entry.entry_id
    assert alarm["seq"] == 1
    assert reason in str(alarm["reason"])
    # What is doubted is said in the log itself too.
    rows = await log.rows("SELECT action FROM audit_entry ORDER BY seq")
    assert [row.action for row in rows][-1] == "alarm.raised"
    await _require_whole(log, 4)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM audit_entry WHERE seq = 2",
        "DELETE FROM audit_checkpoint WHERE size = 3",
        "UPDATE audit_checkpoint SET root = sha256('x')",
        "UPDATE audit_checkpoint SET note = 'another'",
        "UPDATE audit_tile SET hashes = sha256('x') || substr(hashes, 33)",
        "UPDATE audit_tile SET hashes = substr(hashes, 1, 64)",
        "DELETE FROM audit_tile",
        "INSERT INTO audit_entry SELECT 3, gen_random_uuid(), merchant_id, object_id, action, "
        "leaf, leaf_hash FROM audit_entry WHERE seq = 2",
        "INSERT INTO audit_checkpoint SELECT 4, root, note, vkey FROM audit_checkpoint",
    ],
)
async def test_a_log_that_is_not_as_it_was_signed_gets_no_further_checkpoint(
    log: AuditLog, merchant: UUID, change: str
):
    await log.tell(merchant, 3)
    await log.sequence()
    before = log.state
    await log.change(change)
    await log.tell(merchant, 1)

    for _ in range(3):
        assert await log.sequencer.run() is False

    (alarm,) = await _alarms(log, "audit_tampered")
    assert alarm["object_id"] == AUDIT_LOG
    assert log.state == before
    # Sales go on: entries are written, nothing of them is lost.
    waiting = await log.rows("SELECT action FROM audit_pending ORDER BY entry_id")
    assert [row.action for row in waiting] == ["thing.done", "alarm.raised"]


async def test_a_log_whose_folder_is_gone_is_not_signed_on(
    db: Database, folder: Path, log: AuditLog, merchant: UUID
):
    await log.tell(merchant, 3)
    await log.sequence()
    elsewhere = AuditLog(db, folder / "elsewhere", folder / "audit.key")
    await log.tell(merchant)

    assert await elsewhere.sequencer.run() is False

    assert elsewhere.folder.read() is None
    assert len(await _alarms(log, "audit_tampered")) == 1
    await log.sequence()
    await _require_whole(log, 5)


async def test_without_its_key_or_with_another_nothing_is_signed(
    folder: Path, log: AuditLog, merchant: UUID
):
    await log.tell(merchant)
    await log.sequence()
    key = (folder / "audit.key").read_text()
    for wrong in (None, "00" * 32, "nonsense"):
        (folder / "audit.key").unlink(missing_ok=True)
        if wrong is not None:
            (folder / "audit.key").write_text(wrong)
        await log.tell(merchant)
        assert await log.sequencer.run() is False
    assert log.state.confirmed.size == 1
    (alarm,) = await _alarms(log, "audit_unsigned")
    assert "audit.key" in str(alarm["reason"])

    (folder / "audit.key").write_text(key)
    await log.sequence()
    await _require_whole(log, 5)


async def test_a_state_that_cannot_be_read_is_not_begun_anew(log: AuditLog, merchant: UUID):
    await log.tell(merchant)
    await log.sequence()
    (log.folder.path / "state.json").write_text("{")
    await log.tell(merchant)

    assert await log.sequencer.run() is False
    assert len(await _alarms(log, "audit_unsigned")) == 1


async def test_an_empty_log_has_no_checkpoint(log: AuditLog):
    await log.sequence()
    assert await log.checkpoints() == []
    assert (log.state.confirmed.size, log.state.confirmed.root) == (0, EMPTY_ROOT.hex())


async def test_entries_that_wait_too_long_raise_one_alarm(
    db: Database, log: AuditLog, merchant: UUID
):
    watch = watch_log(db, AuditService())
    await log.tell(merchant)
    await watch._run()
    assert await _alarms(log, "audit_behind") == []
    await log.change("UPDATE audit_pending SET noted_at = noted_at - interval '11 seconds'")

    await watch._run()
    await watch._run()

    (alarm,) = await _alarms(log, "audit_behind")
    assert int(str(alarm["waiting_seconds"])) in (11, 12, 13)
    (row,) = await log.rows("SELECT count FROM alarm WHERE kind = 'audit_behind'")
    assert row.count == 1


async def test_a_line_cut_off_by_a_crash_is_dropped_from_the_file(log: AuditLog, merchant: UUID):
    await log.tell(merchant)
    await log.sequence()
    file = log.folder.path / "checkpoints.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"size": 2, "ro')
    await log.tell(merchant)
    await log.sequence()

    lines = file.read_bytes().splitlines()
    assert [orjson.loads(line)["size"] for line in lines] == [1, 2]
    assert file.read_bytes().startswith(whole)


async def test_an_entry_told_by_nobody_we_know_is_still_in_order(log: AuditLog):
    async with log.db.transaction() as tx:
        from inventory_vault.audit.service import SYSTEM, note

        note(tx, "thing.done", new_id(), merchant_id=None, actor=SYSTEM)
    await log.sequence()
    await _require_whole(log, 1)
