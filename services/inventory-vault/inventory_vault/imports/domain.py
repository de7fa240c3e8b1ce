from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from cardfiles.records import Record
from kit.errors import DomainError, ErrorKind, Invalid, NotFound, Unavailable
from kit.money import Money


class ImportStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    DRY_RUN = "dry_run"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way into a pool. `data` holds codes in clear: memory only, never a disk."""

    merchant_id: UUID
    pool_id: UUID
    file_name: str
    data: bytes = field(repr=False)
    supplier: str
    unit_cost: Money
    expires_at: datetime | None
    note: str | None
    is_dry_run: bool


@dataclass(frozen=True, slots=True)
class StockImport:
    id: UUID
    merchant_id: UUID
    pool_id: UUID
    lot_id: UUID | None
    status: ImportStatus
    file_name: str
    size_bytes: int
    encoding: str | None
    separator: str | None
    lines_read: int
    accepted: int
    rejected: int
    duplicates: int
    failure: str | None
    created_at: datetime
    finished_at: datetime | None
    parts_stored: int | None


@dataclass(frozen=True, slots=True)
class NewUpload:
    """An import whose stock comes in parts, sealed by the shop. `lot_id`: None for a dry run."""

    id: UUID
    merchant_id: UUID
    pool_id: UUID
    lot_id: UUID | None
    file_name: str
    size_bytes: int
    idle_seconds_max: int


@dataclass(frozen=True, slots=True)
class ShelfOrder:
    """Good lines in the order in which they will be sold."""

    records: Sequence[Record]
    # Set when all units share it; of mixed ones each has its own.
    expires_at: datetime | None
    default: datetime | None
    is_mixed: bool

    def expiry_of(self, record: Record) -> datetime | None:
        return record.expires_at or self.default


def in_order_of_expiry(records: Sequence[Record], default: datetime | None) -> ShelfOrder:
    """A lot's sequence is its order of sale: where expiries differ, the first to expire goes first.
    `default` is the expiry of lines that have none of their own.
    """
    expiries = {record.expires_at or default for record in records}
    if len(expiries) <= 1:
        return ShelfOrder(records, next(iter(expiries), default), default, is_mixed=False)
    far = datetime.max.replace(tzinfo=UTC)
    ordered = sorted(records, key=lambda record: record.expires_at or default or far)
    return ShelfOrder(ordered, None, default, is_mixed=True)


@dataclass(slots=True)
class Progress:
    """What an import has found so far."""

    encoding: str | None = None
    separator: str | None = None
    lines_read: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0


class ImportNotFound(NotFound):
    """There is no such import, or it is not yours."""

    code = "import_not_found"


class KindNotImportable(Invalid):
    """Units of this kind do not come from a file of codes."""

    code = "unit_kind_not_importable"


class LotExpired(Invalid):
    """expires_at lies in the past; such a lot could not be sold."""

    code = "expires_at_in_the_past"


class ImportTakenBack(DomainError):
    """The import stood still for so long that it was taken for crashed and undone."""

    code = "import_taken_back"
    kind = ErrorKind.CONFLICT


class ImportsBusy(Unavailable):
    """Too many uploads wait for their turn; try again in a minute."""

    code = "imports_busy"


class ImportsNotSetUp(Unavailable):
    """INVENTORY_VAULT_FINGERPRINT_KEY is not set, so duplicates could not be found."""

    code = "imports_not_set_up"
