import asyncio
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePath
from typing import TypeVar
from uuid import UUID

from cardfiles.columns import FIELDS_OF_KIND
from cardfiles.reading import CardFile, Rules, read_card_file
from cardfiles.records import Record, Rejection, UnreadableFile, rejection
from inventory_vault.custody.service import CustodyService
from inventory_vault.imports import repository
from inventory_vault.imports.domain import (
    ImportNotFound,
    ImportsNotSetUp,
    ImportStatus,
    ImportTakenBack,
    KindNotImportable,
    LotExpired,
    NewUpload,
    Progress,
    ShelfOrder,
    StockImport,
    Upload,
    in_order_of_expiry,
)
from inventory_vault.lots.domain import NewLot, SealedUnit
from inventory_vault.lots.service import LotService
from inventory_vault.pools.domain import UnitKind
from inventory_vault.pools.service import PoolService
from kit.clock import Clock
from kit.db import Database, Transaction
from kit.errors import DomainError, Unavailable
from kit.ids import new_id
from kit.logging import get_logger
from kit.money import Money
from sealing import Fingerprinter, Header, Sealer, Secret, mask_of

log = get_logger(__name__)

CHUNK = 10_000
"""Units per transaction: about 100 ms."""
STORE_ATTEMPTS_MAX = 5
TAKE_BACK_AT_ONCE = 10

T = TypeVar("T")

FingerprinterFor = Callable[[UUID], Fingerprinter] | None


class ImportService:
    """Files of codes into sealed lots. `work_on` takes many transactions, so it has the database; a
    lot is invisible until the last of them, and a crashed import leaves nothing.
    """

    def __init__(
        self,
        db: Database,
        pools: PoolService,
        lots: LotService,
        custody: CustodyService,
        clock: Clock,
        fingerprinter_for: FingerprinterFor,
    ) -> None:
        self._db = db
        self._pools = pools
        self._lots = lots
        self._custody = custody
        self._clock = clock
        self._fingerprinter_for = fingerprinter_for

    async def begin(self, tx: Transaction, upload: Upload) -> UUID:
        """Notes the import. Raises PoolNotFound, KindNotImportable, LotExpired, ImportsNotSetUp."""
        if self._fingerprinter_for is None:
            raise ImportsNotSetUp
        pool = await self._pools.get(tx, upload.merchant_id, upload.pool_id)
        if upload.expires_at is not None and upload.expires_at <= self._clock.now():
            raise LotExpired
        require_importable(pool.unit_kind)
        import_id = new_id()
        await repository.add(tx, import_id, upload)
        return import_id

    async def begin_without_file(
        self, tx: Transaction, merchant_id: UUID, pool_id: UUID, source: str
    ) -> UUID:
        """Notes an import whose units come from `source` inside the vault; the caller sees it to
        its end with `bind`, `require_alone`, `progress`, `complete` or `fail`.
        """
        import_id = new_id()
        await repository.add_row(tx, import_id, merchant_id, pool_id, source, size_bytes=0)
        return import_id

    async def bind(self, tx: Transaction, import_id: UUID, lot_id: UUID) -> None:
        """From here on the lot is taken back when the import fails."""
        await repository.set_lot(tx, import_id, lot_id)

    async def require_alone(
        self, tx: Transaction, import_id: UUID, lot: NewLot, stored: int
    ) -> None:
        """Locks the import and the merchant's turn. Raises ImportTakenBack when it was given up, or
        when the lot holds another number of units than `stored`.
        """
        await self._require_alone(tx, import_id, lot, stored)
        await repository.queue_merchant(tx, lot.merchant_id)

    async def progress(self, tx: Transaction, import_id: UUID, accepted: int) -> None:
        await repository.note_progress(tx, import_id, Progress(accepted=accepted))

    async def complete(self, tx: Transaction, import_id: UUID) -> None:
        await repository.finish(tx, import_id, ImportStatus.COMPLETED)

    async def fail(self, import_id: UUID, error: Exception) -> None:
        """Ends the import and says why, in a transaction of its own. Only what a DomainError says
        is told: another error's message could quote what it stumbled over.
        """
        if isinstance(error, DomainError):
            await self._fail(import_id, error.detail)
            return
        log.error(
            "import_failed",
            import_id=str(import_id),
            error_type=type(error).__name__,
            place=place_of(error),
        )
        await self._fail(import_id, "this is our mistake; nothing was imported")

    async def get(self, tx: Transaction, merchant_id: UUID, import_id: UUID) -> StockImport:
        """Raises ImportNotFound."""
        found = await repository.find(tx, merchant_id, import_id)
        if found is None:
            raise ImportNotFound
        return found

    async def list_lines(
        self, tx: Transaction, import_id: UUID, *, after: int, limit: int
    ) -> list[Rejection]:
        """The refused lines, in the order of the file."""
        return await repository.list_lines(tx, import_id, after=after, limit=limit)

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

    async def work_on(self, import_id: UUID, upload: Upload) -> None:
        """From the bytes to a lot on the shelf; an error ends in a failed import that says why."""
        try:
            await self._work_on(import_id, upload)
        except UnreadableFile as error:
            await self._fail(import_id, str(error))
        except Exception as error:
            await self.fail(import_id, error)

    async def note_alive(self, tx: Transaction, import_ids: Sequence[UUID]) -> None:
        """Says that a process still has these uploads, waiting or at work."""
        await repository.note_alive(tx, import_ids)

    async def take_back_failed(self, tx: Transaction) -> bool:
        """Undoes failed and crashed imports, a bounded number of units; True while more wait."""
        await repository.fail_crashed(tx)
        failed = await repository.list_failed_lots(tx, TAKE_BACK_AT_ONCE)
        for import_id, lot_id in failed:
            if await self._lots.discard(tx, lot_id):
                return True
            await repository.set_lot(tx, import_id, None)
        return len(failed) == TAKE_BACK_AT_ONCE

    async def _work_on(self, import_id: UUID, upload: Upload) -> None:
        assert self._fingerprinter_for is not None  # begin() refused otherwise
        fingerprint = self._fingerprinter_for(upload.merchant_id)
        async with self._db.read() as tx:
            pool = await self._pools.get(tx, upload.merchant_id, upload.pool_id)
        rules = Rules(
            pool.unit_kind.value, upload.unit_cost.currency, self._clock.now(), fingerprint
        )
        found = await asyncio.to_thread(read_card_file, upload.data, rules)
        progress = Progress(
            found.encoding,
            found.separator,
            found.lines_read,
            rejected=len(found.rejections),
            duplicates=len(found.duplicates),
        )
        await self._note(import_id, upload, progress, [*found.rejections, *found.duplicates])
        if upload.is_dry_run:
            await self._try_out(import_id, upload, found, progress)
        else:
            await self._stock(import_id, upload, found, progress)

    async def _try_out(
        self, import_id: UUID, upload: Upload, found: CardFile, progress: Progress
    ) -> None:
        for chunk in chunks(found.records):
            new, known = await self._sift(upload.merchant_id, chunk)
            progress.accepted += len(new)
            progress.duplicates += len(known)
            await self._note(import_id, upload, progress, known)
        async with self._db.transaction() as tx:
            await repository.finish(tx, import_id, ImportStatus.DRY_RUN)

    async def _stock(
        self, import_id: UUID, upload: Upload, found: CardFile, progress: Progress
    ) -> None:
        lot_id = new_id()
        seal = await self._custody.begin_seal(upload.merchant_id, lot_id)
        shelf = in_order_of_expiry(found.records, upload.expires_at)
        lot = NewLot(
            id=lot_id,
            merchant_id=upload.merchant_id,
            pool_id=upload.pool_id,
            unit_cost=upload.unit_cost,
            expires_at=None if shelf.is_mixed else shelf.expires_at,
            supplier=upload.supplier,
            note=upload.note,
            key_id=seal.key_id,
            sender_public_key=seal.sealer.public_key,
            seal_proof=seal.proof,
        )
        async with self._db.transaction() as tx:
            await self._lots.begin(tx, lot)
            await repository.set_lot(tx, import_id, lot.id)
        stocked = Stocked(Money(0, upload.unit_cost.currency))
        for chunk in chunks(shelf.records):
            new, known = await self._sift(upload.merchant_id, chunk)
            units = await asyncio.to_thread(seal_chunk, seal.sealer, lot, found, new, shelf)
            sealed = list(zip(new, units, strict=True))
            await self._store_patiently(import_id, lot, stocked, sealed, known)
            progress.accepted = stocked.count
            progress.duplicates += len(stocked.last_known)
            await self._note(import_id, upload, progress, stocked.last_known)
        await self._open_for_sale(import_id, lot, stocked, is_mixed=shelf.is_mixed)

    async def _store_patiently(
        self,
        import_id: UUID,
        lot: NewLot,
        stocked: "Stocked",
        sealed: list[tuple[Record, SealedUnit]],
        known: list[Rejection],
    ) -> None:
        for attempt in range(1, STORE_ATTEMPTS_MAX + 1):
            try:
                await self._store(import_id, lot, stocked, sealed, known)
            except Unavailable:
                if attempt == STORE_ATTEMPTS_MAX:
                    raise
                await asyncio.sleep(0.2 * 2**attempt)
            else:
                return

    async def _store(
        self,
        import_id: UUID,
        lot: NewLot,
        stocked: "Stocked",
        sealed: list[tuple[Record, SealedUnit]],
        known: list[Rejection],
    ) -> None:
        """One chunk, numbered and copied. What another import brought meanwhile is a duplicate."""
        async with self._db.transaction() as tx:
            await self._require_alone(tx, import_id, lot, stocked.count)
            await repository.queue_merchant(tx, lot.merchant_id)
            late = await self._lots.known_fingerprints(
                tx, lot.merchant_id, [unit.fingerprint for _, unit in sealed]
            )
            kept = [unit for _, unit in sealed if unit.fingerprint not in late]
            numbered = [replace(unit, seq=seq) for seq, unit in enumerate(kept, stocked.count + 1)]
            await self._lots.add_units(tx, lot, numbered)
        stocked.last_known = known + [
            rejection(record.line, "duplicate_in_vault")
            for record, unit in sealed
            if unit.fingerprint in late
        ]
        stocked.add(numbered, lot.unit_cost)

    async def _open_for_sale(
        self, import_id: UUID, lot: NewLot, stocked: "Stocked", *, is_mixed: bool
    ) -> None:
        async with self._db.transaction() as tx:
            await self._require_alone(tx, import_id, lot, stocked.count)
            if stocked.count:
                await self._lots.put_on_shelf(
                    tx,
                    lot,
                    size=stocked.count,
                    total_cost=stocked.total_cost,
                    head_expires_at=stocked.head_expires_at,
                    mixed_expiry=is_mixed,
                )
            else:
                await self._lots.discard(tx, lot.id)
                await repository.set_lot(tx, import_id, None)
            await repository.finish(tx, import_id, ImportStatus.COMPLETED)

    async def _require_alone(
        self, tx: Transaction, import_id: UUID, lot: NewLot, stored: int
    ) -> None:
        """Raises ImportTakenBack. A commit that was cut off may have stored a chunk after all: then
        the lot holds more than was counted here, and nothing may be put on top of it.
        """
        if not await repository.lock_running(tx, import_id):
            raise ImportTakenBack
        if await self._lots.last_seq(tx, lot.id) != stored:
            raise ImportTakenBack("the database failed in the middle of it; upload the file again")

    async def _sift(
        self, merchant_id: UUID, chunk: Sequence[Record]
    ) -> tuple[list[Record], list[Rejection]]:
        """The records that are new, and the refusals of those the vault holds already."""
        async with self._db.read() as tx:
            known = await self._lots.known_fingerprints(
                tx, merchant_id, [record.fingerprint for record in chunk]
            )
        return (
            [record for record in chunk if record.fingerprint not in known],
            [
                rejection(record.line, "duplicate_in_vault")
                for record in chunk
                if record.fingerprint in known
            ],
        )

    async def _note(
        self, import_id: UUID, upload: Upload, progress: Progress, refused: Sequence[Rejection]
    ) -> None:
        async with self._db.transaction() as tx:
            await repository.note_progress(tx, import_id, progress)
            for part in chunks(refused):
                await repository.add_lines(tx, import_id, upload.merchant_id, part)

    async def _fail(self, import_id: UUID, reason: str) -> None:
        async with self._db.transaction() as tx:
            await repository.finish(tx, import_id, ImportStatus.FAILED, reason)


@dataclass(slots=True)
class Stocked:
    """What of a lot is in the database already."""

    total_cost: Money
    count: int = 0
    head_expires_at: datetime | None = None
    last_known: list[Rejection] = field(default_factory=list)

    def add(self, units: Sequence[SealedUnit], unit_cost: Money) -> None:
        if units and self.count == 0:
            self.head_expires_at = units[0].expires_at
        self.count += len(units)
        minor = sum(
            unit_cost.amount_minor if unit.unit_cost_minor is None else unit.unit_cost_minor
            for unit in units
        )
        self.total_cost += Money(minor, unit_cost.currency)


def require_importable(kind: UnitKind) -> None:
    """Raises KindNotImportable."""
    if kind.value not in FIELDS_OF_KIND:
        raise KindNotImportable(f"a pool of kind {kind} takes no file of codes")


def seal_chunk(
    sealer: Sealer, lot: NewLot, found: CardFile, records: Sequence[Record], shelf: ShelfOrder
) -> list[SealedUnit]:
    """Runs in a thread. The code leaves clear text here, for good."""
    units = []
    for record in records:
        fields = found.fields_of(record)
        unit_id = new_id()
        header = Header(lot.merchant_id, lot.id, unit_id, lot.key_id)
        box = sealer.seal(header, Secret(fields))
        own_cost = record.cost_minor
        units.append(
            SealedUnit(
                seq=0,
                unit_id=unit_id,
                nonce=box.nonce,
                box=box.ciphertext,
                mask=mask_of(fields),
                fingerprint=record.fingerprint,
                unit_cost_minor=None if own_cost == lot.unit_cost.amount_minor else own_cost,
                expires_at=shelf.expiry_of(record) if shelf.is_mixed else None,
            )
        )
    return units


def place_of(error: BaseException) -> str:
    """Where it happened, e.g. repository.py:42."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(frame.filename).name}:{frame.lineno}"


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
