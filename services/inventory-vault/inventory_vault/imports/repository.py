import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from cardfiles.options import Options
from cardfiles.records import Rejection
from inventory_vault.imports.domain import (
    FileTask,
    ImportPhase,
    ImportStatus,
    NewUpload,
    Progress,
    StockImport,
    StoredChunk,
    Upload,
)
from kit.db import Transaction
from kit.money import Money


async def add(tx: Transaction, import_id: UUID, upload: Upload, *, idle_seconds_max: int) -> None:
    await tx.execute(
        _ADD,
        {
            "id": import_id,
            "merchant": upload.merchant_id,
            "pool": upload.pool_id,
            "file_name": upload.file_name,
            "size": upload.size_bytes,
            "supplier": upload.supplier,
            "unit_cost": upload.unit_cost.amount_minor,
            "currency": upload.unit_cost.currency,
            "expires_at": upload.expires_at,
            "note": upload.note,
            "caller": upload.requested_by,
            "options": json.dumps(asdict(upload.options)),
            "digest": upload.digest,
            "dry_run": upload.is_dry_run,
            "activation": upload.needs_activation,
            "idle": idle_seconds_max,
        },
    )


async def add_without_file(
    tx: Transaction, import_id: UUID, merchant_id: UUID, pool_id: UUID, source: str
) -> None:
    await tx.execute(
        _ADD_WITHOUT_FILE,
        {"id": import_id, "merchant": merchant_id, "pool": pool_id, "file_name": source},
    )


async def add_upload(tx: Transaction, upload: NewUpload) -> None:
    await tx.execute(
        _ADD_UPLOAD,
        {
            "id": upload.id,
            "merchant": upload.merchant_id,
            "pool": upload.pool_id,
            "lot": upload.lot_id,
            "file_name": upload.file_name,
            "size": upload.size_bytes,
            "idle": upload.idle_seconds_max,
        },
    )


async def note_part(tx: Transaction, import_id: UUID, part: Progress) -> None:
    """Adds the next part's figures."""
    await tx.execute(
        _NOTE_PART,
        {
            "id": import_id,
            "lines": part.lines_read,
            "accepted": part.accepted,
            "rejected": part.rejected,
            "duplicates": part.duplicates,
            "elsewhere": part.duplicates_elsewhere,
        },
    )


async def find(tx: Transaction, merchant_id: UUID, import_id: UUID) -> StockImport | None:
    rows = await tx.execute(_FIND, {"id": import_id, "merchant": merchant_id})
    row = rows.one_or_none()
    return _to_domain(row) if row else None


async def list_of(
    tx: Transaction,
    merchant_id: UUID,
    *,
    pool_id: UUID | None,
    status: str | None,
    before: UUID | None,
    limit: int,
) -> list[StockImport]:
    """The newest first."""
    values = {
        "merchant": merchant_id,
        "pool": pool_id,
        "status": status,
        "before": before,
        "limit": limit,
    }
    return [_to_domain(row) for row in await tx.execute(_LIST, values)]


async def get_task(tx: Transaction, import_id: UUID) -> FileTask:
    return _to_task((await tx.execute(_TASK, {"id": import_id})).one())


async def lock_task(tx: Transaction, import_id: UUID) -> FileTask | None:
    """None when it does not run any more."""
    row = (await tx.execute(_LOCK_TASK, {"id": import_id})).one_or_none()
    return _to_task(row) if row else None


async def lock_running(tx: Transaction, import_id: UUID) -> bool:
    """False when it was taken for crashed meanwhile."""
    row = (await tx.execute(_LOCK_RUNNING, {"id": import_id})).one_or_none()
    return row is not None


async def set_lot(tx: Transaction, import_id: UUID, lot_id: UUID | None) -> None:
    await tx.execute(_SET_LOT, {"id": import_id, "lot": lot_id})


async def queue_merchant(tx: Transaction, merchant_id: UUID) -> None:
    """One writer of a merchant's stock at a time: two uploads of one file cannot both find a code
    new, and two COPYs of the same codes cannot wait for each other.
    """
    await tx.execute(_QUEUE_MERCHANT, {"merchant": str(merchant_id)})


async def note_opened(
    tx: Transaction, import_id: UUID, encoding: str | None, separator: str | None
) -> None:
    await tx.execute(_NOTE_OPENED, {"id": import_id, "encoding": encoding, "separator": separator})


async def note_chunk(tx: Transaction, import_id: UUID, chunk: StoredChunk) -> None:
    await tx.execute(
        _NOTE_CHUNK,
        {
            "id": import_id,
            "number": chunk.number,
            "lines": chunk.lines_read,
            "bytes": chunk.bytes_read,
            "accepted": chunk.accepted,
            "units": chunk.units,
            "rejected": chunk.rejected,
            "duplicates": chunk.duplicates,
            "elsewhere": chunk.duplicates_elsewhere,
            "cost": chunk.cost_minor,
            "mixed": chunk.is_mixed,
            "head": chunk.head_expires_at,
        },
    )


async def note_units(tx: Transaction, import_id: UUID, units: int) -> None:
    """So many are stored by now."""
    await tx.execute(_NOTE_UNITS, {"id": import_id, "units": units})


async def note_alive(tx: Transaction, import_ids: Sequence[UUID]) -> None:
    await tx.execute(_NOTE_ALIVE, {"ids": list(import_ids)})


async def add_lines(
    tx: Transaction, import_id: UUID, merchant_id: UUID, refused: Sequence[Rejection]
) -> None:
    if refused:
        await tx.execute(
            _ADD_LINES,
            {
                "id": import_id,
                "merchant": merchant_id,
                "lines": [line.line for line in refused],
                "codes": [line.code for line in refused],
                "details": [line.detail for line in refused],
            },
        )


async def list_lines(
    tx: Transaction, import_id: UUID, *, after: int, limit: int
) -> list[Rejection]:
    rows = await tx.execute(_LINES, {"id": import_id, "after": after, "limit": limit})
    return [Rejection(row.line, row.code, row.detail) for row in rows]


async def finish(
    tx: Transaction, import_id: UUID, status: ImportStatus, failure: str | None = None
) -> StockImport | None:
    """As it is then; None when it did not run any more."""
    values = {"id": import_id, "status": status.value, "failure": failure}
    row = (await tx.execute(_FINISH, values)).one_or_none()
    return _to_domain(row) if row else None


async def interrupt(tx: Transaction, import_id: UUID) -> None:
    """A running import waits for its file to come again."""
    await tx.execute(_INTERRUPT, {"id": import_id})


async def interrupt_idle(tx: Transaction) -> list[StockImport]:
    """Imports nobody works on any more: a file's import is interrupted, any other has failed. The
    failed ones.
    """
    rows = await tx.execute(_INTERRUPT_IDLE)
    return [_to_domain(row) for row in rows if row.status == "failed"]


async def fail_unresumed(tx: Transaction, hours: int) -> list[StockImport]:
    """Imports that were interrupted so long ago have failed: these."""
    return [_to_domain(row) for row in await tx.execute(_FAIL_UNRESUMED, {"hours": hours})]


async def digest_of(tx: Transaction, import_id: UUID) -> bytes | None:
    row = (await tx.execute(_DIGEST, {"id": import_id})).one()
    return None if row.file_digest is None else bytes(row.file_digest)


async def resume(tx: Transaction, import_id: UUID) -> bool:
    """interrupted (or running without a sign of life) -> running; False for any other."""
    return (await tx.execute(_RESUME, {"id": import_id})).rowcount == 1


async def list_failed_lots(tx: Transaction, limit: int) -> list[tuple[UUID, UUID]]:
    """(import, lot) of failed imports whose units are still to be taken back."""
    rows = await tx.execute(_FAILED_LOTS, {"limit": limit})
    return [(row.id, row.lot_id) for row in rows]


def _to_domain(row: Row[Any]) -> StockImport:
    return StockImport(
        id=row.id,
        merchant_id=row.merchant_id,
        pool_id=row.pool_id,
        lot_id=row.lot_id,
        status=ImportStatus(row.status),
        phase=ImportPhase(row.phase),
        file_name=row.file_name,
        size_bytes=row.size_bytes,
        bytes_read=row.bytes_read,
        encoding=row.encoding,
        separator=row.separator,
        lines_read=row.lines_read,
        accepted=row.accepted,
        units=row.units,
        rejected=row.rejected,
        duplicates=row.duplicates,
        duplicates_elsewhere=row.duplicates_elsewhere,
        failure=row.failure,
        created_at=row.created_at,
        finished_at=row.finished_at,
        parts_stored=row.parts_stored,
    )


def _to_task(row: Row[Any]) -> FileTask:
    return FileTask(
        id=row.id,
        merchant_id=row.merchant_id,
        pool_id=row.pool_id,
        lot_id=row.lot_id,
        supplier=row.supplier,
        unit_cost=Money(row.unit_cost, row.currency),
        expires_at=row.expires_at,
        note=row.note,
        options=Options(**json.loads(row.options)),
        is_dry_run=row.is_dry_run,
        needs_activation=row.needs_activation,
        requested_by=row.requested_by,
        begun_at=row.created_at,
        chunks_stored=row.chunks_stored,
        units=row.units,
        total_cost=Money(row.total_cost, row.currency),
        is_mixed=row.is_mixed,
        head_expires_at=row.head_expires_at,
    )


_ADD = text(
    """
    INSERT INTO stock_import (id, merchant_id, pool_id, status, file_name, size_bytes, supplier,
      unit_cost, currency, expires_at, note, requested_by, options, file_digest, is_dry_run,
      idle_seconds_max, needs_activation)
    VALUES (:id, :merchant, :pool, 'running', :file_name, :size, :supplier,
      :unit_cost, :currency, :expires_at, :note, :caller, :options, :digest, :dry_run,
      :idle, :activation)
    """
)
_ADD_WITHOUT_FILE = text(
    "INSERT INTO stock_import (id, merchant_id, pool_id, status, file_name, size_bytes) "
    "VALUES (:id, :merchant, :pool, 'running', :file_name, 0)"
)
_ADD_UPLOAD = text(
    "INSERT INTO stock_import (id, merchant_id, pool_id, lot_id, status, file_name, size_bytes, "
    "idle_seconds_max, parts_stored) "
    "VALUES (:id, :merchant, :pool, :lot, 'running', :file_name, :size, :idle, 0)"
)
_NOTE_PART = text(
    """
    UPDATE stock_import SET parts_stored = parts_stored + 1, lines_read = lines_read + :lines,
      accepted = accepted + :accepted, rejected = rejected + :rejected,
      units = units + :accepted, duplicates = duplicates + :duplicates,
      duplicates_elsewhere = duplicates_elsewhere + :elsewhere, alive_at = clock_timestamp()
    WHERE id = :id
    """
)
_FIND = text("SELECT * FROM stock_import WHERE id = :id AND merchant_id = :merchant")
_LIST = text(
    """
    SELECT * FROM stock_import
    WHERE merchant_id = :merchant
      AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid))
      AND (CAST(:pool AS uuid) IS NULL OR pool_id = CAST(:pool AS uuid))
      AND (CAST(:status AS text) IS NULL OR status = CAST(:status AS text))
    ORDER BY id DESC LIMIT :limit
    """
)
_TASK = text("SELECT * FROM stock_import WHERE id = :id")
_LOCK_TASK = text(
    "SELECT * FROM stock_import WHERE id = :id AND status = 'running' FOR NO KEY UPDATE"
)
_LOCK_RUNNING = text(
    "SELECT id FROM stock_import WHERE id = :id AND status = 'running' FOR NO KEY UPDATE"
)
_SET_LOT = text("UPDATE stock_import SET lot_id = :lot WHERE id = :id")
_QUEUE_MERCHANT = text("SELECT pg_advisory_xact_lock(hashtextextended('import:' || :merchant, 0))")
_NOTE_OPENED = text(
    "UPDATE stock_import SET encoding = :encoding, separator = :separator, phase = 'reading', "
    "alive_at = clock_timestamp() WHERE id = :id AND status = 'running'"
)
_NOTE_CHUNK = text(
    """
    UPDATE stock_import SET chunks_stored = :number, lines_read = :lines, bytes_read = :bytes,
      phase = CASE WHEN CAST(:units AS int) > 0 THEN 'storing' ELSE phase END,
      accepted = accepted + :accepted, units = units + CAST(:units AS int),
      rejected = rejected + :rejected, duplicates = duplicates + :duplicates,
      duplicates_elsewhere = duplicates_elsewhere + :elsewhere,
      total_cost = total_cost + CAST(:cost AS bigint), is_mixed = is_mixed OR :mixed,
      head_expires_at = coalesce(head_expires_at, CAST(:head AS timestamptz)),
      alive_at = clock_timestamp()
    WHERE id = :id
    """
)
_NOTE_UNITS = text(
    "UPDATE stock_import SET accepted = :units, units = :units, phase = 'storing', "
    "alive_at = clock_timestamp() WHERE id = :id"
)
_NOTE_ALIVE = text(
    "UPDATE stock_import SET alive_at = clock_timestamp() "
    "WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'running'"
)
_ADD_LINES = text(
    """
    INSERT INTO stock_import_line (import_id, merchant_id, line, code, detail)
    SELECT :id, :merchant, * FROM unnest(
      CAST(:lines AS int[]), CAST(:codes AS text[]), CAST(:details AS text[]))
    ON CONFLICT DO NOTHING
    """
)
_LINES = text(
    "SELECT line, code, detail FROM stock_import_line "
    "WHERE import_id = :id AND line > :after ORDER BY line LIMIT :limit"
)
_FINISH = text(
    "UPDATE stock_import SET status = :status, failure = :failure, phase = 'done', "
    "finished_at = clock_timestamp() WHERE id = :id AND status = 'running' RETURNING *"
)
_INTERRUPT = text(
    "UPDATE stock_import SET status = 'interrupted', interrupted_at = clock_timestamp() "
    "WHERE id = :id AND status = 'running'"
)
# Only a file comes again: a dry run is repeated, and other stock has ways of its own.
_INTERRUPT_IDLE = text(
    """
    UPDATE stock_import SET
      status = CASE WHEN r.resumable THEN 'interrupted' ELSE 'failed' END,
      interrupted_at = CASE WHEN r.resumable THEN clock_timestamp() END,
      finished_at = CASE WHEN NOT r.resumable THEN clock_timestamp() END,
      phase = CASE WHEN r.resumable THEN phase ELSE 'done' END,
      failure = CASE WHEN r.resumable THEN NULL WHEN parts_stored IS NULL
        THEN 'the process that worked on it ended; upload the file again'
        ELSE 'no part of it came for too long; seal and upload the file again' END
    FROM (SELECT id AS import_id, file_digest IS NOT NULL AND NOT is_dry_run AS resumable
      FROM stock_import
      WHERE status = 'running'
        AND alive_at < clock_timestamp() - make_interval(secs => idle_seconds_max)
      FOR UPDATE SKIP LOCKED) r
    WHERE id = r.import_id
    RETURNING stock_import.*
    """
)
_FAIL_UNRESUMED = text(
    """
    UPDATE stock_import SET status = 'failed', finished_at = clock_timestamp(), phase = 'done',
      failure = 'the process that worked on it ended, and it was not resumed in time; '
        || 'upload the file again'
    WHERE status = 'interrupted'
      AND interrupted_at < clock_timestamp() - make_interval(hours => :hours)
    RETURNING *
    """
)
_DIGEST = text("SELECT file_digest FROM stock_import WHERE id = :id")
_RESUME = text(
    """
    UPDATE stock_import SET status = 'running', alive_at = clock_timestamp(), phase = 'waiting',
      interrupted_at = NULL
    WHERE id = :id AND (status = 'interrupted' OR (status = 'running' AND file_digest IS NOT NULL
      AND NOT is_dry_run
      AND alive_at < clock_timestamp() - make_interval(secs => idle_seconds_max)))
    """
)
_FAILED_LOTS = text(
    "SELECT id, lot_id FROM stock_import "
    "WHERE status = 'failed' AND lot_id IS NOT NULL LIMIT :limit"
)
