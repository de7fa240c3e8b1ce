import asyncio
import traceback
from collections.abc import Sequence
from pathlib import PurePath
from uuid import UUID

from cardfiles.columns import FIELDS_OF_KIND
from cardfiles.records import Rejection
from inventory_vault.audit.service import SYSTEM, note
from inventory_vault.imports import repository
from inventory_vault.imports.domain import (
    FileTask,
    ImportNotFound,
    ImportNotInterrupted,
    ImportsNotSetUp,
    ImportStatus,
    ImportTakenBack,
    KindNotImportable,
    LotExpired,
    NewUpload,
    OtherFile,
    Progress,
    StockImport,
    StoredChunk,
    Upload,
)
from inventory_vault.lots.domain import NewLot
from inventory_vault.lots.service import LotService
from inventory_vault.pools.domain import UnitKind
from inventory_vault.pools.service import PoolService
from kit.clock import Clock
from kit.db import Transaction
from kit.errors import DomainError
from kit.ids import new_id
from kit.logging import get_logger
from sealing import file_digest

log = get_logger(__name__)

CHUNK = 10_000
"""Units per transaction: about 100 ms."""
IDLE_SECONDS_MAX = 30
"""Without a sign of life for so long, the process that worked on an import has ended."""
TAKE_BACK_AT_ONCE = 10


class ImportService:
    """The books of imports: what came, how far it is, which lines were refused, what is undone. The
    units themselves are stored by who brings them (`uploads` for files).
    """

    def __init__(
        self,
        pools: PoolService,
        lots: LotService,
        clock: Clock,
        fingerprint_key: bytes | None,
        *,
        resume_hours_max: int,
    ) -> None:
        self._pools = pools
        self._lots = lots
        self._clock = clock
        self._fingerprint_key = fingerprint_key
        self._resume_hours_max = resume_hours_max

    async def digest(self, data: bytes) -> bytes:
        """Names a file without telling anything of it. Raises ImportsNotSetUp."""
        return await asyncio.to_thread(file_digest, self.fingerprint_key, data)

    @property
    def fingerprint_key(self) -> bytes:
        """Raises ImportsNotSetUp."""
        if self._fingerprint_key is None:
            raise ImportsNotSetUp
        return self._fingerprint_key

    async def begin(self, tx: Transaction, upload: Upload) -> UUID:
        """Notes the import. Raises PoolNotFound, KindNotImportable, LotExpired."""
        pool = await self._pools.get(tx, upload.merchant_id, upload.pool_id)
        if upload.expires_at is not None and upload.expires_at <= self._clock.now():
            raise LotExpired
        require_importable(pool.unit_kind)
        import_id = new_id()
        await repository.add(tx, import_id, upload, idle_seconds_max=IDLE_SECONDS_MAX)
        return import_id

    async def get(self, tx: Transaction, merchant_id: UUID, import_id: UUID) -> StockImport:
        """Raises ImportNotFound."""
        found = await repository.find(tx, merchant_id, import_id)
        if found is None:
            raise ImportNotFound
        return found

    async def list_of(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        pool_id: UUID | None,
        status: str | None,
        before: UUID | None,
        limit: int,
    ) -> list[StockImport]:
        """The newest first."""
        return await repository.list_of(
            tx, merchant_id, pool_id=pool_id, status=status, before=before, limit=limit
        )

    async def list_lines(
        self, tx: Transaction, import_id: UUID, *, after: int, limit: int
    ) -> list[Rejection]:
        """The refused lines, in the order of the file."""
        return await repository.list_lines(tx, import_id, after=after, limit=limit)

    async def begin_without_file(
        self, tx: Transaction, merchant_id: UUID, pool_id: UUID, source: str
    ) -> UUID:
        """Notes an import whose units come from `source` inside the vault; the caller sees it to
        its end with `bind`, `require_alone`, `progress`, `complete` or `fail`.
        """
        import_id = new_id()
        await repository.add_without_file(tx, import_id, merchant_id, pool_id, source)
        return import_id

    async def require_alone(
        self, tx: Transaction, import_id: UUID, lot: NewLot, stored: int
    ) -> None:
        """Locks the import and the merchant's turn. Raises ImportTakenBack when it was given up, or
        when the lot holds another number of units than `stored`: a commit that was cut off may
        have stored them after all, and nothing may be put on top of it.
        """
        if not await repository.lock_running(tx, import_id):
            raise ImportTakenBack
        if await self._lots.last_seq(tx, lot.id) != stored:
            raise ImportTakenBack("the database failed in the middle of it; begin again")
        await repository.queue_merchant(tx, lot.merchant_id)

    async def progress(self, tx: Transaction, import_id: UUID, units: int) -> None:
        """So many are stored by now."""
        await repository.note_units(tx, import_id, units)

    async def begin_upload(self, tx: Transaction, upload: NewUpload) -> None:
        """Notes an import whose stock comes in parts, sealed by the shop."""
        await repository.add_upload(tx, upload)

    async def lock_upload(self, tx: Transaction, merchant_id: UUID, import_id: UUID) -> StockImport:
        """The import, which nobody else changes until `tx` ends, as no other import stores units
        of this merchant. Raises ImportNotFound.
        """
        await repository.lock_running(tx, import_id)
        await repository.queue_merchant(tx, merchant_id)
        return await self.get(tx, merchant_id, import_id)

    async def note_part(
        self, tx: Transaction, found: StockImport, part: Progress, refused: Sequence[Rejection]
    ) -> None:
        """Adds what the next part of a locked upload brought."""
        await repository.note_part(tx, found.id, part)
        await repository.add_lines(tx, found.id, found.merchant_id, refused)

    async def finish_upload(
        self, tx: Transaction, import_id: UUID, status: ImportStatus, *, has_lot: bool
    ) -> None:
        """The locked upload has ended."""
        if not has_lot:
            await repository.set_lot(tx, import_id, None)
        await repository.finish(tx, import_id, status)

    async def resume(
        self,
        tx: Transaction,
        merchant_id: UUID,
        import_id: UUID,
        *,
        digest: bytes,
        requested_by: str,
    ) -> None:
        """An interrupted import runs again.

        Raises ImportNotFound, OtherFile, ImportNotInterrupted.
        """
        found = await self.get(tx, merchant_id, import_id)
        known = await repository.digest_of(tx, import_id)
        if known is not None and known != digest:
            raise OtherFile
        if not await repository.resume(tx, import_id):
            raise ImportNotInterrupted(status=found.status.value)
        note(
            tx,
            "import.resumed",
            import_id,
            merchant_id=merchant_id,
            actor=requested_by,
            lines_read=found.lines_read,
            units=found.units,
        )

    async def task(self, tx: Transaction, import_id: UUID) -> FileTask:
        """What is to be done with a file."""
        return await repository.get_task(tx, import_id)

    async def lock_task(self, tx: Transaction, import_id: UUID) -> FileTask:
        """The same, which nobody else changes until `tx` ends. Raises ImportTakenBack."""
        task = await repository.lock_task(tx, import_id)
        if task is None:
            raise ImportTakenBack
        return task

    async def queue_merchant(self, tx: Transaction, merchant_id: UUID) -> None:
        """No other import stores units of this merchant until `tx` ends."""
        await repository.queue_merchant(tx, merchant_id)

    async def bind(self, tx: Transaction, import_id: UUID, lot_id: UUID | None) -> None:
        """From here on the lot is taken back when the import fails."""
        await repository.set_lot(tx, import_id, lot_id)

    async def note_opened(
        self, tx: Transaction, import_id: UUID, encoding: str | None, separator: str | None
    ) -> None:
        await repository.note_opened(tx, import_id, encoding, separator)

    async def note_chunk(
        self, tx: Transaction, task: FileTask, chunk: StoredChunk, refused: Sequence[Rejection]
    ) -> None:
        """What a chunk brought, in the transaction of its units."""
        await repository.note_chunk(tx, task.id, chunk)
        await repository.add_lines(tx, task.id, task.merchant_id, refused)

    async def note_alive(self, tx: Transaction, import_ids: Sequence[UUID]) -> None:
        """Says that a process still has these uploads, waiting or at work."""
        await repository.note_alive(tx, import_ids)

    async def complete(
        self,
        tx: Transaction,
        import_id: UUID,
        status: ImportStatus = ImportStatus.COMPLETED,
        *,
        actor: str = SYSTEM,
    ) -> None:
        found = await repository.finish(tx, import_id, status)
        if found is not None and status is ImportStatus.COMPLETED:
            _note_end(tx, found, "import.completed", actor)

    async def fail(self, tx: Transaction, import_id: UUID, reason: str) -> None:
        """Ends a running import and says why; its lot is taken back."""
        found = await repository.finish(tx, import_id, ImportStatus.FAILED, reason)
        if found is not None:
            _note_end(tx, found, "import.failed", SYSTEM)

    async def interrupt(self, tx: Transaction, import_id: UUID) -> None:
        """A running import waits for its file to come again."""
        await repository.interrupt(tx, import_id)

    async def take_back_failed(self, tx: Transaction) -> bool:
        """Finds imports whose process ended, and takes back the stock of failed ones, a bounded
        number of units; True while more wait.
        """
        ended = await repository.interrupt_idle(tx)
        ended += await repository.fail_unresumed(tx, self._resume_hours_max)
        for found in ended:
            _note_end(tx, found, "import.failed", SYSTEM)
        failed = await repository.list_failed_lots(tx, TAKE_BACK_AT_ONCE)
        for import_id, lot_id in failed:
            if await self._lots.discard(tx, lot_id):
                return True
            await repository.set_lot(tx, import_id, None)
        return len(failed) == TAKE_BACK_AT_ONCE


def reason_of(import_id: UUID, error: Exception) -> str:
    """What an import that failed says of it. Only what a DomainError says is told: another error's
    message could quote what it stumbled over, so its type and place are logged and no more.
    """
    if isinstance(error, DomainError):
        return error.detail
    log.error(
        "import_failed",
        import_id=str(import_id),
        error_type=type(error).__name__,
        place=_place_of(error),
    )
    return "this is our mistake; nothing was imported"


def _place_of(error: BaseException) -> str:
    """Where it happened, e.g. repository.py:42."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(frame.filename).name}:{frame.lineno}"


def require_importable(kind: UnitKind) -> None:
    """Raises KindNotImportable."""
    if kind.value not in FIELDS_OF_KIND:
        raise KindNotImportable(f"a pool of kind {kind} takes no file of codes")


def _note_end(tx: Transaction, found: StockImport, action: str, actor: str) -> None:
    note(
        tx,
        action,
        found.id,
        merchant_id=found.merchant_id,
        actor=actor,
        pool=str(found.pool_id),
        lot=str(found.lot_id) if found.lot_id else None,
        lines_read=found.lines_read,
        accepted=found.accepted,
        units=found.units,
        rejected=found.rejected,
        duplicates=found.duplicates,
        failure=found.failure,
    )
