"""The audit log as tests work with it: told, sequenced, read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from auditlog import Checkpoint, VerifierKey, open_checkpoint
from inventory_vault.audit.service import note
from inventory_vault.sequencer.folder import AuditFolder, OwnState
from inventory_vault.sequencer.sequencing import Sequencer
from inventory_vault.settings import Settings
from kit.db import Database
from kit.ids import new_id

ROUNDS_MAX = 1_000


class AuditLog:
    """A vault's log with its sequencer, in this process."""

    TABLES = ("audit_pending", "audit_entry", "audit_tile", "audit_checkpoint")
    BOOKS = (
        "unit_sale",
        "unit_view",
        "handout",
        "redemption_rollback",
        "redemption",
        "stock_action",
        "key_rotation",
        "box_part",
        "box_upload",
        "stock_import_line",
        "stock_import",
        "voucher_terms",
        "lot",
    )

    def __init__(self, db: Database, folder: Path, key_file: Path, *, batch_max: int = 5_000):
        self.db = db
        self.folder = AuditFolder(folder, key_file)
        self.sequencer = Sequencer(db, self.folder, batch_max=batch_max)

    @classmethod
    def of(cls, db: Database, settings: Settings) -> "AuditLog":
        return cls(db, settings.audit_folder, settings.audit_key_file)

    @property
    def state(self) -> OwnState:
        state = self.folder.read()
        assert state is not None
        return state

    @property
    def key(self) -> VerifierKey:
        return VerifierKey.parse(self.state.vkey)

    async def sequence(self) -> None:
        """Until nothing waits, or a round moves nothing."""
        waiting = -1
        for _ in range(ROUNDS_MAX):
            more = await self.sequencer.run()
            before, waiting = waiting, await self.waiting()
            if not more and waiting in (0, before):
                return
        raise AssertionError("the queue does not empty")

    async def waiting(self) -> int:
        """How many entries are in the queue."""
        (row,) = await self.rows("SELECT count(*) AS entries FROM audit_pending")
        return int(row.entries)

    async def tell(self, merchant_id: UUID, count: int = 1, action: str = "thing.done") -> None:
        """Entries, in one transaction."""
        async with self.db.transaction() as tx:
            for number in range(count):
                note(tx, action, new_id(), merchant_id=merchant_id, actor="key:test", number=number)

    async def rows(self, sql: str, **parameters: Any) -> Sequence[Any]:
        async with self.db.read() as tx:
            return list(await tx.execute(text(sql), parameters))

    async def change(self, sql: str, **parameters: Any) -> None:
        """With the rights of somebody whom no trigger stops."""
        async with self.db.transaction() as tx:
            for table in self.TABLES:
                await tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            await tx.execute(text(sql), parameters)
            for table in self.TABLES:
                await tx.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))

    async def forget(self) -> None:
        """Empties log, books and alarms, as in a new database."""
        tables = (*self.TABLES, *self.BOOKS)
        async with self.db.transaction() as tx:
            for table in tables:
                await tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            for table in (*tables, "alarm"):
                await tx.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
            for table in tables:
                await tx.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))

    async def entries(self) -> list[dict[str, Any]]:
        """All leaves, in the order of the log."""
        found = await self.rows("SELECT leaf FROM audit_entry ORDER BY seq")
        return [orjson.loads(row.leaf) for row in found]

    async def checkpoints(self) -> list[Checkpoint]:
        """As the database has them, each with its signature checked."""
        found = await self.rows("SELECT note FROM audit_checkpoint ORDER BY size")
        return [open_checkpoint(row.note, [self.key]) for row in found]
