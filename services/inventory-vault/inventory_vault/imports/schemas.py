from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, Json

from cardfiles.checks import CAPACITY_MAX
from cardfiles.options import POSITION_MAX, Options
from cardfiles.records import Rejection
from inventory_vault.imports.domain import StockImport
from kit.http import CurrencyCode, Model, Name, Timestamp
from kit.http.wire import AMOUNT_MINOR_MAX

ColumnName = Literal["number", "password", "code", "url", "image", "cost", "expiry", "capacity"]
Column = (
    Annotated[int, Field(strict=True, ge=1, le=POSITION_MAX)]
    | Annotated[str, Field(min_length=1, max_length=200)]
)
StatusText = Literal["running", "interrupted", "completed", "failed", "dry_run"]
PhaseText = Literal["waiting", "reading", "storing", "done"]


class LotForm(Model):
    """The form fields beside the file; those about how to read it override what is found out."""

    supplier: Name
    unit_cost: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX // 100_000)]
    currency: CurrencyCode
    expires_at: Timestamp | None = None
    note: Name | None = None
    dry_run: bool = False
    needs_activation: bool = False
    encoding: Literal["utf-8", "gb18030", "gbk", "utf-16"] | None = None
    separator: Literal[",", ";", "|", "----", "║", "tab", "space"] | None = None
    columns: Json[dict[ColumnName, Column]] | None = None
    has_header: bool | None = None
    capacity: Annotated[int, Field(ge=1, le=CAPACITY_MAX)] = 1

    def options(self) -> Options:
        return Options(
            encoding=self.encoding,
            separator=self.separator,
            columns=None if self.columns is None else {str(k): v for k, v in self.columns.items()},
            has_header=self.has_header,
            capacity=self.capacity,
        )


class ResumeForm(Model):
    """Beside the file there is nothing to say: the import knows what it was begun with."""


class ImportBegun(Model):
    import_id: UUID


class RefusedLine(Model):
    line: int = Field(description="Line of the file, from 1, the header included.")
    code: str
    detail: str

    @classmethod
    def from_domain(cls, refused: Rejection) -> Self:
        return cls(line=refused.line, code=refused.code, detail=refused.detail)


class ImportSummary(Model):
    """`accepted` + `rejected` + `duplicates` = the lines looked at. `rejected` counts lines refused
    other than as duplicates.
    """

    id: UUID
    pool_id: UUID
    status: StatusText
    phase: PhaseText = Field(
        description="`reading`: lines are checked; where they have an expiry each, all of "
        "them before the first is stored. `storing`: units are stored."
    )
    lot_id: UUID | None
    file_name: str
    size_bytes: int
    bytes_read: int
    encoding: str | None
    separator: str | None
    lines_read: int
    accepted: int
    units: int = Field(
        description="Units stored, or that would be: a reusable line gives as many as its capacity."
    )
    rejected: int
    duplicates: int
    duplicates_elsewhere: int = Field(
        description="Accepted lines whose code is in the stock of another merchant too. A hint "
        "from a hash of 64 bits; which lines they are is not told."
    )
    failure: str | None = Field(description="Why the whole import failed.")
    parts_stored: int | None = Field(
        description="Parts of boxes that are stored, so the next is one more; null for a file."
    )
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def summary(cls, found: StockImport) -> Self:
        return cls(**_values(found))


class ImportRead(ImportSummary):
    """`lines` names each refused line and each duplicate."""

    lines: list[RefusedLine]
    next_line: int | None = Field(
        description="Pass it as `after_line` for more refused lines; null at the end."
    )

    @classmethod
    def of(cls, found: StockImport, lines: list[Rejection], next_line: int | None) -> Self:
        return cls(
            **_values(found),
            lines=[RefusedLine.from_domain(line) for line in lines],
            next_line=next_line,
        )


def _values(found: StockImport) -> dict[str, Any]:
    return {
        "id": found.id,
        "pool_id": found.pool_id,
        "status": found.status.value,
        "phase": found.phase.value,
        "lot_id": found.lot_id if found.status.value == "completed" else None,
        "file_name": found.file_name,
        "size_bytes": found.size_bytes,
        "bytes_read": found.bytes_read,
        "encoding": found.encoding,
        "separator": found.separator,
        "lines_read": found.lines_read,
        "accepted": found.accepted,
        "units": found.units,
        "rejected": found.rejected,
        "duplicates": found.duplicates,
        "duplicates_elsewhere": found.duplicates_elsewhere,
        "failure": found.failure,
        "parts_stored": found.parts_stored,
        "created_at": found.created_at,
        "finished_at": found.finished_at,
    }
