from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from cardfiles.records import Rejection
from inventory_vault.imports.domain import ImportStatus, NewUpload, Progress, StockImport, Upload
from kit.db import Transaction


async def add(tx: Transaction, import_id: UUID, upload: Upload) -> None:
    size = len(upload.data)
    await add_row(tx, import_id, upload.merchant_id, upload.pool_id, upload.file_name, size)


async def add_row(
    tx: Transaction,
    import_id: UUID,
    merchant_id: UUID,
    pool_id: UUID,
    file_name: str,
    size_bytes: int,
) -> None:
    await tx.execute(
        _ADD,
        {
            "id": import_id,
            "merchant": merchant_id,
            "pool": pool_id,
            "file_name": file_name,
            "size": size_bytes,
        },
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
        },
    )


async def find(tx: Transaction, merchant_id: UUID, import_id: UUID) -> StockImport | None:
    rows = await tx.execute(_FIND, {"id": import_id, "merchant": merchant_id})
    row = rows.one_or_none()
    return _to_domain(row) if row else None


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


async def note_progress(tx: Transaction, import_id: UUID, progress: Progress) -> None:
    await tx.execute(
        _NOTE_PROGRESS,
        {
            "id": import_id,
            "encoding": progress.encoding,
            "separator": progress.separator,
            "lines": progress.lines_read,
            "accepted": progress.accepted,
            "rejected": progress.rejected,
            "duplicates": progress.duplicates,
        },
    )


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
) -> None:
    await tx.execute(_FINISH, {"id": import_id, "status": status.value, "failure": failure})


async def fail_crashed(tx: Transaction) -> int:
    """Running imports nobody works on any more become failed; how many."""
    return (await tx.execute(_FAIL_CRASHED)).rowcount


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
        file_name=row.file_name,
        size_bytes=row.size_bytes,
        encoding=row.encoding,
        separator=row.separator,
        lines_read=row.lines_read,
        accepted=row.accepted,
        rejected=row.rejected,
        duplicates=row.duplicates,
        failure=row.failure,
        created_at=row.created_at,
        finished_at=row.finished_at,
        parts_stored=row.parts_stored,
    )


_ADD = text(
    "INSERT INTO stock_import (id, merchant_id, pool_id, status, file_name, size_bytes) "
    "VALUES (:id, :merchant, :pool, 'running', :file_name, :size)"
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
      duplicates = duplicates + :duplicates, alive_at = clock_timestamp()
    WHERE id = :id
    """
)
_FIND = text("SELECT * FROM stock_import WHERE id = :id AND merchant_id = :merchant")
_LOCK_RUNNING = text(
    "SELECT id FROM stock_import WHERE id = :id AND status = 'running' FOR NO KEY UPDATE"
)
_SET_LOT = text("UPDATE stock_import SET lot_id = :lot WHERE id = :id")
_QUEUE_MERCHANT = text("SELECT pg_advisory_xact_lock(hashtextextended('import:' || :merchant, 0))")
_NOTE_PROGRESS = text(
    """
    UPDATE stock_import SET encoding = :encoding, separator = :separator, lines_read = :lines,
      accepted = :accepted, rejected = :rejected, duplicates = :duplicates,
      alive_at = clock_timestamp()
    WHERE id = :id
    """
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
    "UPDATE stock_import SET status = :status, failure = :failure, "
    "finished_at = clock_timestamp() WHERE id = :id AND status = 'running'"
)
_FAIL_CRASHED = text(
    """
    UPDATE stock_import SET status = 'failed', finished_at = clock_timestamp(),
      failure = CASE WHEN parts_stored IS NULL
        THEN 'the process that worked on it ended; upload the file again'
        ELSE 'no part of it came for too long; seal and upload the file again' END
    WHERE status = 'running'
      AND alive_at < clock_timestamp() - make_interval(secs => idle_seconds_max)
    """
)
_FAILED_LOTS = text(
    "SELECT id, lot_id FROM stock_import "
    "WHERE status = 'failed' AND lot_id IS NOT NULL LIMIT :limit"
)
