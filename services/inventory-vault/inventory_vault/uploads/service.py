import asyncio
from array import array
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cardfiles.records import Rejection, UnreadableFile, rejection
from inventory_vault.custody.domain import SealingKeyRetired
from inventory_vault.custody.service import CustodyService
from inventory_vault.imports.domain import FileTask, ImportStatus, StoredChunk
from inventory_vault.imports.service import ImportService, reason_of
from inventory_vault.lots.domain import CodeTaken, NewLot
from inventory_vault.lots.service import LotService
from inventory_vault.packer.client import packed
from inventory_vault.packer.job import Opened, PackedChunk, PackJob, Parcel, Target, moment
from inventory_vault.packer.rows import COLUMNS, payload
from inventory_vault.pools.service import PoolService
from kit.db import Database, Transaction
from kit.errors import Unavailable
from kit.ids import new_id
from kit.logging import get_logger
from sealing import Seal

log = get_logger(__name__)

STORE_ATTEMPTS_MAX = 5


@dataclass(frozen=True, slots=True)
class LotSeal:
    """What this run of an import seals with: a seal of its own, for the key pair's private half is
    gone with the process that had it.
    """

    seal: Seal
    proof: bytes


class UploadService:
    """Files into sealed lots. `work_on` takes many transactions, one per chunk, so it has the
    database; a lot is invisible until the last of them.
    """

    def __init__(
        self,
        db: Database,
        imports: ImportService,
        pools: PoolService,
        lots: LotService,
        custody: CustodyService,
    ) -> None:
        self._db = db
        self._imports = imports
        self._pools = pools
        self._lots = lots
        self._custody = custody

    async def work_on(self, import_id: UUID, parcel: Parcel) -> None:
        """From the bytes to a lot on the shelf, or on from the last chunk that is stored. An error
        ends in a failed import that says why; trouble that passes in one that can be resumed.
        """
        try:
            await self._work_on(import_id, parcel)
        except UnreadableFile as error:
            await self._fail(import_id, str(error))
        except (Unavailable, SealingKeyRetired) as error:
            log.warning("import_interrupted", import_id=str(import_id), reason=error.detail)
            async with self._db.transaction() as tx:
                await self._imports.interrupt(tx, import_id)
        except Exception as error:
            await self._fail(import_id, reason_of(import_id, error))

    async def _work_on(self, import_id: UUID, parcel: Parcel) -> None:
        async with self._db.read() as tx:
            task = await self._imports.task(tx, import_id)
            pool = await self._pools.get(tx, task.merchant_id, task.pool_id)
        target = None if task.is_dry_run else await self._target(task)
        job = PackJob(
            merchant_id=task.merchant_id,
            kind=pool.unit_kind.value,
            currency=task.unit_cost.currency,
            unit_cost_minor=task.unit_cost.amount_minor,
            now=task.begun_at,
            expires_at=task.expires_at,
            options=task.options,
            skip=task.chunks_stored,
            target=target,
            fingerprint_key=self._imports.fingerprint_key,
        )
        lot_seal: LotSeal | None = None
        looking = Looking(is_on=task.is_dry_run)
        async with aclosing(packed(job, parcel)) as answers, Behind() as behind:
            async for answer in answers:
                if isinstance(answer, Opened):
                    await self._note_opened(task, answer)
                    lot_seal = await self._attested(target, answer)
                    continue
                # While the chunk before is stored.
                async with self._db.read() as tx:
                    sifted = await self._sift(tx, task, answer, looks=looking.is_on)
                storing = self._store_patiently(task, lot_seal, answer, sifted, looking)
                await behind.start(storing)
        await self._finish(task, lot_seal)

    async def _target(self, task: FileTask) -> Target:
        key = await self._custody.active_key()
        seal_no, lot_id = 0, task.lot_id
        if lot_id is None:
            lot_id = new_id()
        else:
            async with self._db.read() as tx:
                seal_no = await self._lots.next_seal_no(tx, lot_id)
        return Target(task.merchant_id, lot_id, seal_no, key.key_id, key.public_key)

    async def _attested(self, target: Target | None, opened: Opened) -> LotSeal | None:
        if target is None:
            return None
        seal = Seal(
            target.merchant_id,
            target.lot_id,
            target.seal_no,
            target.key_id,
            opened.sender_public_key,
        )
        return LotSeal(seal, await self._custody.attest(seal))

    async def _note_opened(self, task: FileTask, opened: Opened) -> None:
        async with self._db.transaction() as tx:
            await self._imports.note_opened(tx, task.id, opened.encoding, opened.separator)

    async def _store_patiently(
        self,
        task: FileTask,
        lot_seal: LotSeal | None,
        chunk: PackedChunk,
        sifted: "Sifted | None",
        looking: "Looking",
    ) -> None:
        """A chunk knows whether it is stored, so a cut-off commit does no harm."""
        for attempt in range(1, STORE_ATTEMPTS_MAX + 1):
            try:
                async with self._db.transaction() as tx:
                    await self._store(tx, task.id, lot_seal, chunk, sifted)
            except CodeTaken as error:
                if attempt == STORE_ATTEMPTS_MAX:
                    raise Unavailable(
                        "the vault was too busy to store a part of the file"
                    ) from error
                # The vault holds one of the codes, or another import brought it since: look, alone
                # this time.
                sifted, looking.is_on = None, True
            except Unavailable:
                if attempt == STORE_ATTEMPTS_MAX:
                    raise
                await asyncio.sleep(0.2 * 2**attempt)
            else:
                return

    async def _store(
        self,
        tx: Transaction,
        import_id: UUID,
        lot_seal: LotSeal | None,
        chunk: PackedChunk,
        sifted: "Sifted | None",
    ) -> None:
        """One chunk, numbered and copied, with its receipt. Raises CodeTaken when what was sifted
        before is not new any more; without it nobody else stores until this is through.
        """
        task = await self._imports.lock_task(tx, import_id)
        if task.chunks_stored >= chunk.number:
            return
        await self._imports.queue_merchant(tx, task.merchant_id)
        sifted = sifted or await self._sift(tx, task, chunk)
        if lot_seal is not None and sifted.rows:
            await self._add(tx, task, lot_seal, chunk, sifted.rows)
        await self._imports.note_chunk(
            tx,
            task,
            sifted.stored(chunk),
            [*(rejection(line, code) for line, code in chunk.refused), *sifted.refused],
        )

    async def _sift(
        self, tx: Transaction, task: FileTask, chunk: PackedChunk, *, looks: bool = True
    ) -> "Sifted":
        """What of a chunk the vault does not hold yet; everything, unless it looks."""
        fingerprints, known = chunk.fingerprint_list(), set[bytes]()
        if looks:
            known = await self._lots.known_fingerprints(tx, task.merchant_id, fingerprints)
        sifted = Sifted.of(chunk, fingerprints, known, task.unit_cost.amount_minor)
        elsewhere = await self._lots.marks_elsewhere(tx, task.merchant_id, sifted.marks)
        sifted.elsewhere = sum(mark in elsewhere for mark in sifted.marks)
        return sifted

    async def _add(
        self,
        tx: Transaction,
        task: FileTask,
        lot_seal: LotSeal,
        chunk: PackedChunk,
        rows: Sequence[bytes],
    ) -> None:
        seal = lot_seal.seal
        if task.lot_id is None:
            expires_at = None if chunk.is_mixed else chunk.expires_at
            await self._lots.begin(tx, _new_lot(task, lot_seal, expires_at))
            await self._imports.bind(tx, task.id, seal.lot_id)
        elif not await self._lots.has_seal(tx, seal):
            await self._lots.add_seal(tx, seal, lot_seal.proof)
        await self._lots.add_rows(tx, _parts(seal.lot_id, task.units + 1, rows), COLUMNS)

    async def _finish(self, task: FileTask, lot_seal: LotSeal | None) -> None:
        async with self._db.transaction() as tx:
            task = await self._imports.lock_task(tx, task.id)
            if lot_seal is not None and task.lot_id is not None:
                await self._lots.put_on_shelf(
                    tx,
                    _new_lot(task, lot_seal, None),
                    size=task.units,
                    total_cost=task.total_cost,
                    head_expires_at=task.head_expires_at,
                    mixed_expiry=task.is_mixed,
                )
            status = ImportStatus.DRY_RUN if task.is_dry_run else ImportStatus.COMPLETED
            await self._imports.complete(tx, task.id, status, actor=task.requested_by)

    async def _fail(self, import_id: UUID, reason: str) -> None:
        async with self._db.transaction() as tx:
            await self._imports.fail(tx, import_id, reason)


class Behind:
    """Work that goes on while the next piece is prepared: one at a time, in order."""

    def __init__(self) -> None:
        self._running: asyncio.Task[None] | None = None

    async def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Waits for the piece before; what it raised is raised here, and `work` is not begun."""
        try:
            await self._wait()
        except BaseException:
            work.close()
            raise
        self._running = asyncio.create_task(work)

    async def __aenter__(self) -> "Behind":
        return self

    async def __aexit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        try:
            await self._wait()
        except Exception:
            # The error that ended the block is the one to tell.
            if error is None:
                raise

    async def _wait(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running


@dataclass(slots=True)
class Looking:
    """Whether an import asks, before it stores a chunk, which of its codes the vault holds.

    Most files bring none of them. Until one does, the unique index is all the asking there is: a
    chunk that it refuses is looked through and stored again, and so are those that follow.
    """

    is_on: bool


@dataclass(slots=True)
class Sifted:
    """What of a chunk is new."""

    lines: int
    rows: Sequence[bytes]
    units: int
    marks: Sequence[int]
    cost_minor: int
    refused: list[Rejection]
    head_expires_at: datetime | None
    elsewhere: int = 0

    @classmethod
    def of(
        cls,
        chunk: PackedChunk,
        fingerprints: Sequence[bytes],
        known: set[bytes],
        unit_cost_minor: int,
    ) -> "Sifted":
        count = len(fingerprints)
        kept: Sequence[int] = range(count)
        if known:
            kept = [index for index in kept if fingerprints[index] not in known]
        capacities = array("I", chunk.capacities) if chunk.capacities else None
        costs = array("q", chunk.costs) if chunk.costs else None
        marks, lines = chunk.mark_list(), chunk.line_numbers
        uses = capacities or (1,) * count
        head = moment(array("q", chunk.expiries)[kept[0]]) if chunk.expiries and kept else None
        return cls(
            lines=len(kept),
            rows=_rows_of(chunk.rows, uses, kept) if known or capacities else chunk.rows,
            units=sum(uses[index] for index in kept),
            marks=marks if len(kept) == count else [marks[index] for index in kept],
            cost_minor=sum((costs[i] if costs else unit_cost_minor) * uses[i] for i in kept),
            refused=[
                rejection(lines[index], "duplicate_in_vault")
                for index in (range(count) if known else ())
                if fingerprints[index] in known
            ],
            head_expires_at=head,
        )

    def stored(self, chunk: PackedChunk) -> StoredChunk:
        duplicates = sum(code == "duplicate_in_file" for _, code in chunk.refused)
        return StoredChunk(
            number=chunk.number,
            lines_read=chunk.lines_read,
            bytes_read=chunk.bytes_read,
            accepted=self.lines,
            units=self.units,
            rejected=len(chunk.refused) - duplicates,
            duplicates=duplicates + len(self.refused),
            duplicates_elsewhere=self.elsewhere,
            cost_minor=self.cost_minor,
            is_mixed=chunk.is_mixed,
            head_expires_at=self.head_expires_at,
        )


def _rows_of(rows: Sequence[bytes], uses: Sequence[int], kept: Iterable[int]) -> list[bytes]:
    """The rows of the kept lines; a line has as many as it has uses."""
    if not rows:
        return []
    begins, at = [], 0
    for count in uses:
        begins.append(at)
        at += count
    return [row for i in kept for row in rows[begins[i] : begins[i] + uses[i]]]


async def _parts(lot_id: UUID, first_seq: int, rows: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in payload(lot_id, first_seq, rows):
        yield part


def _new_lot(task: FileTask, lot_seal: LotSeal, expires_at: datetime | None) -> NewLot:
    seal = lot_seal.seal
    return NewLot(
        id=seal.lot_id,
        merchant_id=task.merchant_id,
        pool_id=task.pool_id,
        unit_cost=task.unit_cost,
        expires_at=expires_at,
        supplier=task.supplier,
        note=task.note,
        key_id=seal.key_id,
        sender_public_key=seal.sender_public_key,
        seal_proof=lot_seal.proof,
        needs_activation=task.needs_activation,
    )
