import base64
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from inventory_vault.alarms.service import raise_alarm
from inventory_vault.audit.service import note
from inventory_vault.boxes import repository
from inventory_vault.boxes.domain import (
    IDLE_SECONDS_MAX,
    BadSenderKey,
    BoxUpload,
    NotAnUpload,
    Opening,
    Part,
    PartOutOfTurn,
    PartReceipt,
    PartReused,
    SealNumberTaken,
    SentUnit,
    Sifted,
    Tail,
    UploadEnded,
    expiry_of,
    require_order,
)
from inventory_vault.custody.domain import CheckedBox, RefusedBox, SealingKey, SentBox
from inventory_vault.custody.service import CustodyService
from inventory_vault.imports.domain import (
    ImportStatus,
    LotExpired,
    NewUpload,
    Progress,
    StockImport,
)
from inventory_vault.imports.service import ImportService, require_importable
from inventory_vault.lots.domain import NewLot, SealedUnit
from inventory_vault.lots.service import LotService
from inventory_vault.pools.service import PoolService
from kit.clock import Clock
from kit.db import Transaction
from kit.money import Money
from kit.public_keys import KEY_BYTES, decode_public_key
from sealing import BadPublicKey, Seal, check_public_key

Checked = Sequence[CheckedBox | RefusedBox]


class BoxService:
    """Uploads of boxes: opened, filled part by part, put on the shelf.

    What a box holds only the opener knows; `check` asks it, outside of any transaction, and `store`
    writes what it answered.
    """

    def __init__(
        self,
        imports: ImportService,
        pools: PoolService,
        lots: LotService,
        custody: CustodyService,
        clock: Clock,
    ) -> None:
        self._imports = imports
        self._pools = pools
        self._lots = lots
        self._custody = custody
        self._clock = clock

    async def active_key(self) -> SealingKey:
        """What boxes are sealed to now. Raises Unavailable."""
        return await self._custody.active_key()

    async def open(self, tx: Transaction, opening: Opening) -> BoxUpload:
        """Notes the import and makes its lot, which nobody sees yet; a dry run makes none.

        Raises PoolNotFound, KindNotImportable, LotExpired, LotIdTaken.
        """
        if opening.expires_at is not None and opening.expires_at <= self._clock.now():
            raise LotExpired
        upload = upload_of(opening)
        await self.kind_of(tx, upload)
        await self._imports.begin_upload(
            tx,
            NewUpload(
                id=opening.import_id,
                merchant_id=opening.merchant_id,
                pool_id=opening.pool_id,
                lot_id=None if opening.is_dry_run else opening.lot_id,
                file_name=opening.file_name,
                size_bytes=0,
                idle_seconds_max=IDLE_SECONDS_MAX,
            ),
        )
        await repository.add(tx, opening)
        if not opening.is_dry_run:
            await self._lots.begin(tx, lot_of(upload))
        return upload

    async def get(self, tx: Transaction, merchant_id: UUID, import_id: UUID) -> BoxUpload:
        """Raises ImportNotFound, NotAnUpload."""
        found = await repository.find(tx, merchant_id, import_id)
        if found is None:
            await self._imports.get(tx, merchant_id, import_id)
            raise NotAnUpload
        return found

    async def kind_of(self, tx: Transaction, upload: BoxUpload) -> str:
        """What kind of units its boxes must hold. Raises PoolNotFound, KindNotImportable."""
        pool = await self._pools.get(tx, upload.merchant_id, upload.pool_id)
        require_importable(pool.unit_kind)
        return pool.unit_kind.value

    async def find_stored(
        self, tx: Transaction, upload: BoxUpload, part: Part
    ) -> PartReceipt | None:
        """The receipt of a part that is stored already. Raises PartReused."""
        stored = await repository.find_part(tx, upload.import_id, part.number)
        if stored is None:
            return None
        if stored.digest != part.digest():
            raise PartReused(part=part.number)
        return stored.receipt

    async def seal_no_of(self, tx: Transaction, upload: BoxUpload, part: Part) -> int:
        """The number of the seal that this part's sender has in the lot, or will have."""
        sender = sender_key(part)
        return await repository.seal_no_of(tx, upload.lot_id, upload.key_id, sender)

    async def require_key(self, upload: BoxUpload, kind: str) -> None:
        """Raises SealingKeyRetired for a key that opens nothing any more."""
        nobody = base64.b64encode(bytes(KEY_BYTES)).decode()
        await self._ask(upload, Part(1, nobody, ()), kind)

    async def check(
        self, upload: BoxUpload, part: Part, kind: str, *, seal_no: int = 0
    ) -> "CheckedPart":
        """What the opener finds in the boxes, and its proof of their seal. Never inside a
        transaction. Raises BadSenderKey, SealingKeyRetired, BoxesNotSetUp, Unavailable.
        """
        sender = sender_key(part)
        boxes = await self._ask(upload, part, kind)
        seal = Seal(upload.merchant_id, upload.lot_id, seal_no, upload.key_id, sender)
        has_good = any(isinstance(found, CheckedBox) for found in boxes)
        # Proven after the boxes were looked into: a sender who sealed nothing good gets no proof.
        proof = await self._custody.attest(seal) if has_good and not upload.is_dry_run else b""
        return CheckedPart(boxes, seal, proof)

    async def _ask(self, upload: BoxUpload, part: Part, kind: str) -> Checked:
        return await self._custody.check(
            [SentBox(unit.unit_id, unit.nonce, unit.ciphertext) for unit in part.units],
            merchant_id=upload.merchant_id,
            lot_id=upload.lot_id,
            key_id=upload.key_id,
            kind=kind,
            public_key=part.public_key,
        )

    async def store(
        self, tx: Transaction, upload: BoxUpload, part: Part, checked: "CheckedPart"
    ) -> PartReceipt:
        """The good units of a part at the end of the lot, the others in the receipt; once.

        Raises UploadEnded, PartOutOfTurn, PartReused, UnitExpiryNotAnnounced, UnitsOutOfOrder,
        SealingKeyRetired, SealNumberTaken.
        """
        found = await self._imports.lock_upload(tx, upload.merchant_id, upload.import_id)
        repeated = await self.find_stored(tx, upload, part)
        if repeated is not None:
            return repeated
        require_turn(found, part)
        tail = await repository.tail_of(tx, upload.lot_id)
        require_order(upload, part.units, tail)
        sifted = await self._sift(tx, upload, part, checked.boxes)
        cost = Money(0, upload.unit_cost.currency)
        if not upload.is_dry_run and sifted.good:
            if not await repository.add_seal(tx, checked.seal, checked.proof):
                raise SealNumberTaken
            units = number_units(upload, sifted.good, tail, checked.seal.seal_no)
            await self._lots.add_units(tx, lot_of(upload), units)
            cost = cost_of(upload, units)
        receipt = sifted.receipt(upload.import_id, part.number)
        await repository.add_part(tx, upload.merchant_id, part, receipt, cost.amount_minor)
        progress = Progress(
            lines_read=len(part.units),
            accepted=receipt.accepted,
            rejected=receipt.rejected,
            duplicates=receipt.duplicates,
            duplicates_elsewhere=await self._elsewhere(tx, upload, sifted),
        )
        await self._imports.note_part(tx, found, progress, sifted.refused)
        if sifted.tampered:
            await raise_alarm(
                tx,
                "boxes_refused",
                upload.import_id,
                merchant_id=upload.merchant_id,
                part=part.number,
                **sifted.tampered,
            )
        return receipt

    async def complete(self, tx: Transaction, upload: BoxUpload, *, actor: str) -> None:
        """The lot is for sale when `tx` commits; an upload without a good unit leaves no lot. Does
        nothing for one that is completed. Raises UploadEnded, LotExposed.
        """
        found = await self._imports.lock_upload(tx, upload.merchant_id, upload.import_id)
        if found.status in (ImportStatus.COMPLETED, ImportStatus.DRY_RUN):
            return
        if found.status is not ImportStatus.RUNNING:
            raise UploadEnded
        if upload.is_dry_run:
            await self._imports.finish_upload(
                tx, upload.import_id, ImportStatus.DRY_RUN, has_lot=False
            )
            return
        await self._open_for_sale(tx, upload)
        note(
            tx,
            "import.completed",
            upload.import_id,
            merchant_id=upload.merchant_id,
            actor=actor,
            pool=str(upload.pool_id),
            lot=str(upload.lot_id) if found.accepted else None,
            lines_read=found.lines_read,
            accepted=found.accepted,
            units=found.units,
            rejected=found.rejected,
            duplicates=found.duplicates,
            failure=None,
            sealed_by="shop",
        )

    async def _open_for_sale(self, tx: Transaction, upload: BoxUpload) -> None:
        stocked = await repository.stocked(tx, upload.import_id, upload.lot_id)
        if stocked.accepted:
            await self._lots.put_on_shelf(
                tx,
                lot_of(upload),
                size=stocked.accepted,
                total_cost=Money(stocked.cost_minor, upload.unit_cost.currency),
                head_expires_at=stocked.head_expires_at,
                mixed_expiry=upload.has_unit_expiry,
            )
        else:
            await self._lots.discard(tx, upload.lot_id)
        await self._imports.finish_upload(
            tx, upload.import_id, ImportStatus.COMPLETED, has_lot=stocked.accepted > 0
        )

    async def _elsewhere(self, tx: Transaction, upload: BoxUpload, sifted: Sifted) -> int:
        """How many of the good codes are in another merchant's stock too."""
        marks = [found.mark for _, found in sifted.good]
        elsewhere = await self._lots.marks_elsewhere(tx, upload.merchant_id, marks)
        return sum(mark in elsewhere for mark in marks)

    async def _sift(
        self, tx: Transaction, upload: BoxUpload, part: Part, checked: Checked
    ) -> Sifted:
        """Which units are good and new. The merchant's imports are queued by `tx`."""
        known = await self._lots.known_fingerprints(
            tx,
            upload.merchant_id,
            [found.fingerprint for found in checked if isinstance(found, CheckedBox)],
        )
        taken = await repository.taken_unit_ids(tx, [unit.unit_id for unit in part.units])
        sifted = Sifted(known, taken)
        now = self._clock.now()
        for unit, found in zip(part.units, checked, strict=True):
            moment = expiry_of(upload, unit)
            if isinstance(found, CheckedBox) and moment is not None and moment <= now:
                sifted.refuse(unit, "expired")
            else:
                sifted.add(unit, found)
        return sifted


@dataclass(frozen=True, slots=True)
class CheckedPart:
    """What the opener said of a part. `proof` is empty where there is nothing to store."""

    boxes: Checked
    seal: Seal
    proof: bytes


def upload_of(opening: Opening) -> BoxUpload:
    """What a part can be checked against before its upload is in the books."""
    return BoxUpload(
        import_id=opening.import_id,
        merchant_id=opening.merchant_id,
        pool_id=opening.pool_id,
        lot_id=opening.lot_id,
        key_id=opening.key_id,
        unit_cost=opening.unit_cost,
        expires_at=opening.expires_at,
        has_unit_expiry=opening.has_unit_expiry,
        is_dry_run=opening.is_dry_run,
        supplier=opening.supplier,
        note=opening.note,
    )


def lot_of(upload: BoxUpload) -> NewLot:
    """The lot of an upload; its seals come with the parts."""
    return NewLot(
        id=upload.lot_id,
        merchant_id=upload.merchant_id,
        pool_id=upload.pool_id,
        unit_cost=upload.unit_cost,
        expires_at=None if upload.has_unit_expiry else upload.expires_at,
        supplier=upload.supplier,
        note=upload.note,
        key_id=upload.key_id,
        sender_public_key=None,
        seal_proof=None,
    )


def sender_key(part: Part) -> bytes:
    """Raises BadSenderKey."""
    try:
        key = decode_public_key(part.public_key)
        check_public_key(key)
    except (ValueError, BadPublicKey) as error:
        raise BadSenderKey from error
    return key


def require_turn(found: StockImport, part: Part) -> None:
    """Raises UploadEnded, PartOutOfTurn."""
    if found.status is not ImportStatus.RUNNING:
        raise UploadEnded
    stored = found.parts_stored or 0
    if part.number != stored + 1:
        raise PartOutOfTurn(parts_stored=stored)


def number_units(
    upload: BoxUpload, good: Sequence[tuple[SentUnit, CheckedBox]], tail: Tail, seal_no: int
) -> list[SealedUnit]:
    """The rows of a part, numbered on from the lot's last unit."""
    lot_cost = upload.unit_cost.amount_minor
    return [
        SealedUnit(
            seq=seq,
            unit_id=unit.unit_id,
            nonce=base64.b64decode(unit.nonce),
            box=base64.b64decode(unit.ciphertext),
            mask=found.mask,
            fingerprint=found.fingerprint,
            mark=found.mark,
            unit_cost_minor=None if unit.unit_cost_minor == lot_cost else unit.unit_cost_minor,
            expires_at=expiry_of(upload, unit) if upload.has_unit_expiry else None,
            seal_no=seal_no,
        )
        for seq, (unit, found) in enumerate(good, tail.seq + 1)
    ]


def cost_of(upload: BoxUpload, units: Sequence[SealedUnit]) -> Money:
    """What these units cost together."""
    lot_cost = upload.unit_cost.amount_minor
    minor = sum(lot_cost if it.unit_cost_minor is None else it.unit_cost_minor for it in units)
    return Money(minor, upload.unit_cost.currency)
