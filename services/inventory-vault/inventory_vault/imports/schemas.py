from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field

from cardfiles.records import Rejection
from inventory_vault.imports.domain import StockImport
from kit.http import CurrencyCode, Model, Name, Timestamp
from kit.http.wire import AMOUNT_MINOR_MAX


class LotForm(Model):
    """The form fields beside the file."""

    supplier: Name
    unit_cost: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX // 100_000)]
    currency: CurrencyCode
    expires_at: Timestamp | None = None
    note: Name | None = None
    dry_run: bool = False


class ImportBegun(Model):
    import_id: UUID


class RefusedLine(Model):
    line: int = Field(description="Line of the file, from 1, the header included.")
    code: str
    detail: str

    @classmethod
    def from_domain(cls, refused: Rejection) -> Self:
        return cls(line=refused.line, code=refused.code, detail=refused.detail)


class ImportRead(Model):
    """`rejected` counts lines refused other than as duplicates; `lines` names each of both."""

    id: UUID
    pool_id: UUID
    status: Literal["running", "completed", "failed", "dry_run"]
    lot_id: UUID | None
    file_name: str
    encoding: str | None
    separator: str | None
    lines_read: int
    accepted: int
    rejected: int
    duplicates: int
    failure: str | None = Field(description="Why the whole import failed.")
    parts_stored: int | None = Field(
        description="Parts of boxes that are stored, so the next is one more; null for a file."
    )
    created_at: datetime
    finished_at: datetime | None
    lines: list[RefusedLine]
    next_line: int | None = Field(
        description="Pass it as `after_line` for more refused lines; null at the end."
    )

    @classmethod
    def of(cls, found: StockImport, lines: list[Rejection], next_line: int | None) -> Self:
        return cls(
            id=found.id,
            pool_id=found.pool_id,
            status=found.status.value,
            lot_id=found.lot_id if found.status.value == "completed" else None,
            file_name=found.file_name,
            encoding=found.encoding,
            separator=found.separator,
            lines_read=found.lines_read,
            accepted=found.accepted,
            rejected=found.rejected,
            duplicates=found.duplicates,
            failure=found.failure,
            parts_stored=found.parts_stored,
            created_at=found.created_at,
            finished_at=found.finished_at,
            lines=[RefusedLine.from_domain(line) for line in lines],
            next_line=next_line,
        )
