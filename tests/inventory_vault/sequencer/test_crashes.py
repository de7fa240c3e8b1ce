"""kill -9 of the sequencer at each of its points: no size is ever signed with two roots."""

import os
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from auditlog import Checkpoint, open_checkpoint, root_of
from inventory_vault.settings import Settings
from kit.db import Database
from tests.inventory_vault.audit.logs import AuditLog
from tests.stack.nursery import nursery_of

POINTS = (
    "planned",
    "before a write",
    "intent written",
    "stored",
    "committed",
    "confirmed",
    "before an append",
    "published",
)
TIMES = (1, 2, 3)
NURSERY = ("inventory_vault.sequencer.sequencing",)


@pytest.fixture
async def log(db: Database, folder: Path) -> AuditLog:
    log = AuditLog(db, folder / "audit", folder / "audit.key")
    await log.forget()
    return log


class Witness:
    """Keeps every checkpoint that anybody could have seen, and what was about to be signed."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self.seen: dict[int, set[Checkpoint]] = {}

    async def look(self) -> None:
        log = self._log
        notes = [row.note for row in await log.rows("SELECT note FROM audit_checkpoint")]
        state = log.folder.read()
        file = log.folder.path / "checkpoints.jsonl"
        if file.exists():
            notes += [orjson.loads(line)["note"] for line in file.read_bytes().split(b"\n")[:-1]]
        if state is not None:
            heads = [state.confirmed, *([state.intent.head] if state.intent else [])]
            notes += [head.note for head in heads if head.note is not None]
        for note in notes:
            checkpoint = open_checkpoint(note, [log.key])
            self.seen.setdefault(checkpoint.size, set()).add(checkpoint)


async def _run(log: AuditLog, settings: Settings, point: str = "", times: int = 1) -> int:
    process = nursery_of(*NURSERY).fork(
        "tests.inventory_vault.sequencer.crashing",
        *(str(log.folder.path), str(log.folder.path.parent / "audit.key")),
        *(settings.database_url.get_secret_value(), point, str(times)),
        env=os.environ,
        log=log.folder.path.parent / "crashing.log",
    )
    return await process.ended()


@pytest.mark.timeout(300)
async def test_killed_at_any_point_it_never_signs_one_size_with_two_roots(
    log: AuditLog, settings: Settings, merchant: UUID
):
    witness = Witness(log)
    kills = told = 0
    for point in POINTS:
        for times in TIMES:
            await log.tell(merchant, 11)
            told += 11
            kills += await _run(log, settings, point, times) == -9
            await witness.look()
            # What comes meanwhile must not slip into a checkpoint that was about to be signed.
            await log.tell(merchant, 2)
            told += 2
            await witness.look()

    assert await _run(log, settings) == 0
    await witness.look()

    assert kills >= len(POINTS) * 2
    rows = await log.rows("SELECT seq, leaf_hash FROM audit_entry ORDER BY seq")
    assert [row.seq for row in rows] == list(range(told))
    hashes = [row.leaf_hash for row in rows]
    for size, checkpoints in witness.seen.items():
        assert [checkpoint.root for checkpoint in checkpoints] == [root_of(hashes[:size])]
    # Nothing that was signed is missing from the database or from the file.
    lines = (log.folder.path / "checkpoints.jsonl").read_text().splitlines()
    assert [orjson.loads(line)["size"] for line in lines] == sorted(witness.seen)
    assert [checkpoint.size for checkpoint in await log.checkpoints()] == sorted(witness.seen)
    assert await log.rows("SELECT 1 FROM alarm") == []
