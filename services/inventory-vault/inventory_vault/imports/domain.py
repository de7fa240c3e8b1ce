from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from cardfiles.options import Options
from inventory_vault.packer.job import Parcel
from kit.errors import Conflict, DomainError, ErrorKind, Invalid, NotFound, Unavailable
from kit.money import Money


class ImportStatus(StrEnum):
    RUNNING = "running"
    # The process that worked on it ended; it goes on with the same file, or is taken back in time.
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    FAILED = "failed"
    DRY_RUN = "dry_run"


class ImportPhase(StrEnum):
    WAITING = "waiting"
    READING = "reading"
    STORING = "storing"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way into a pool. `parcel` holds codes in clear: memory only, never a disk."""

    merchant_id: UUID
    pool_id: UUID
    file_name: str
    parcel: Parcel
    size_bytes: int
    digest: bytes
    supplier: str
    unit_cost: Money
    expires_at: datetime | None
    note: str | None
    is_dry_run: bool
    needs_activation: bool
    options: Options
    requested_by: str


@dataclass(frozen=True, slots=True)
class StockImport:
    id: UUID
    merchant_id: UUID
    pool_id: UUID
    lot_id: UUID | None
    status: ImportStatus
    phase: ImportPhase
    file_name: str
    size_bytes: int
    bytes_read: int
    encoding: str | None
    separator: str | None
    lines_read: int
    accepted: int
    units: int
    rejected: int
    duplicates: int
    duplicates_elsewhere: int
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
class FileTask:
    """What a file becomes, and how far it is: all that is needed to go on with it."""

    id: UUID
    merchant_id: UUID
    pool_id: UUID
    lot_id: UUID | None
    supplier: str
    unit_cost: Money
    expires_at: datetime | None
    note: str | None
    options: Options
    is_dry_run: bool
    needs_activation: bool
    requested_by: str
    begun_at: datetime
    chunks_stored: int
    units: int
    total_cost: Money
    is_mixed: bool
    head_expires_at: datetime | None


@dataclass(slots=True)
class Progress:
    """What an import has found so far."""

    encoding: str | None = None
    separator: str | None = None
    lines_read: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    duplicates_elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """What one more chunk brought; `lines_read`, `bytes_read` count from the file's beginning."""

    number: int
    lines_read: int
    bytes_read: int
    accepted: int
    units: int
    rejected: int
    duplicates: int
    duplicates_elsewhere: int
    cost_minor: int
    is_mixed: bool
    head_expires_at: datetime | None


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


class ImportNotInterrupted(Conflict):
    """Only an interrupted import is resumed. While it runs, ask again: a process that ended is
    found out within a minute. One that failed or is completed needs a new upload.
    """

    code = "import_not_interrupted"


class OtherFile(Invalid):
    """The file is not the one that this import began with; nothing was imported from it."""

    code = "other_file"


class ImportsBusy(Unavailable):
    """Too many uploads wait for their turn; try again in a minute."""

    code = "imports_busy"


class ImportsNotSetUp(Unavailable):
    """INVENTORY_VAULT_FINGERPRINT_KEY is not set, so duplicates could not be found."""

    code = "imports_not_set_up"
