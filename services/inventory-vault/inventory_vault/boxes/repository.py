from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from inventory_vault.boxes.domain import (
    BoxUpload,
    Opening,
    Part,
    PartReceipt,
    Stocked,
    StoredPart,
    Tail,
)
from inventory_vault.custody.domain import SealingKeyRetired
from kit.db import Transaction, constraint_of
from kit.money import Money
from sealing import Seal


async def add(tx: Transaction, opening: Opening) -> None:
    await tx.execute(
        _ADD,
        {
            "id": opening.import_id,
            "merchant": opening.merchant_id,
            "pool": opening.pool_id,
            "lot": opening.lot_id,
            "key_id": opening.key_id,
            "unit_cost": opening.unit_cost.amount_minor,
            "currency": opening.unit_cost.currency,
            "supplier": opening.supplier,
            "note": opening.note,
            "expires_at": opening.expires_at,
            "has_unit_expiry": opening.has_unit_expiry,
            "is_dry_run": opening.is_dry_run,
        },
    )


async def find(tx: Transaction, merchant_id: UUID, import_id: UUID) -> BoxUpload | None:
    rows = await tx.execute(_FIND, {"id": import_id, "merchant": merchant_id})
    row = rows.one_or_none()
    if row is None:
        return None
    return BoxUpload(
        import_id=row.import_id,
        merchant_id=row.merchant_id,
        pool_id=row.pool_id,
        lot_id=row.lot_id,
        key_id=row.key_id,
        unit_cost=Money(row.unit_cost, row.currency),
        expires_at=row.expires_at,
        has_unit_expiry=row.has_unit_expiry,
        is_dry_run=row.is_dry_run,
        supplier=row.supplier,
        note=row.note,
    )


async def find_part(tx: Transaction, import_id: UUID, number: int) -> StoredPart | None:
    rows = await tx.execute(_FIND_PART, {"id": import_id, "part": number})
    row = rows.one_or_none()
    if row is None:
        return None
    receipt = PartReceipt(import_id, number, row.accepted, row.rejected, row.duplicates)
    return StoredPart(bytes(row.digest), receipt)


async def add_part(
    tx: Transaction, merchant_id: UUID, part: Part, receipt: PartReceipt, cost_minor: int
) -> None:
    await tx.execute(
        _ADD_PART,
        {
            "id": receipt.import_id,
            "part": receipt.number,
            "merchant": merchant_id,
            "digest": part.digest(),
            "accepted": receipt.accepted,
            "rejected": receipt.rejected,
            "duplicates": receipt.duplicates,
            "cost": cost_minor,
        },
    )


async def tail_of(tx: Transaction, lot_id: UUID) -> Tail:
    rows = await tx.execute(_TAIL, {"lot": lot_id})
    row = rows.one_or_none()
    return Tail(row.seq, row.expires_at) if row else Tail(0, None)


async def stocked(tx: Transaction, import_id: UUID, lot_id: UUID) -> Stocked:
    row = (await tx.execute(_STOCKED, {"id": import_id, "lot": lot_id})).one()
    return Stocked(int(row.accepted), int(row.cost), row.head_expires_at)


async def seal_no_of(tx: Transaction, lot_id: UUID, key_id: UUID, sender: bytes) -> int:
    """Of the lot's seal with this key and sender; if there is none, the number it will have."""
    rows = await tx.execute(_SEAL_NO, {"lot": lot_id, "key_id": key_id, "sender": sender})
    return int(rows.one().seal_no)


async def add_seal(tx: Transaction, seal: Seal, proof: bytes) -> bool:
    """Unless the lot has it already. False when another seal has its number.

    Raises SealingKeyRetired.
    """
    parameters = {
        "lot": seal.lot_id,
        "seal_no": seal.seal_no,
        "merchant": seal.merchant_id,
        "key_id": seal.key_id,
        "sender": seal.sender_public_key,
        "proof": proof,
    }
    try:
        await tx.execute(_ADD_SEAL, parameters)
    except IntegrityError as error:
        if constraint_of(error) == "lot_seal_of_living_key":
            raise SealingKeyRetired from error
        raise
    found = await tx.execute(_HAS_SEAL, {name: parameters[name] for name in _SEAL_PARAMETERS})
    return found.one_or_none() is not None


async def taken_unit_ids(tx: Transaction, unit_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these units exist, whoever's they are."""
    rows = await tx.execute(_TAKEN_UNIT_IDS, {"units": list(unit_ids)})
    return {row.unit_id for row in rows}


_ADD = text(
    """
    INSERT INTO box_upload (import_id, merchant_id, pool_id, lot_id, key_id, unit_cost, currency,
      supplier, note, expires_at, has_unit_expiry, is_dry_run)
    VALUES (:id, :merchant, :pool, :lot, :key_id, :unit_cost, :currency, :supplier, :note,
      :expires_at, :has_unit_expiry, :is_dry_run)
    """
)
_FIND = text("SELECT * FROM box_upload WHERE import_id = :id AND merchant_id = :merchant")
_FIND_PART = text(
    "SELECT digest, accepted, rejected, duplicates FROM box_part "
    "WHERE import_id = :id AND part = :part"
)
_ADD_PART = text(
    "INSERT INTO box_part "
    "(import_id, part, merchant_id, digest, accepted, rejected, duplicates, cost) "
    "VALUES (:id, :part, :merchant, :digest, :accepted, :rejected, :duplicates, :cost)"
)
_TAIL = text("SELECT seq, expires_at FROM unit WHERE lot_id = :lot ORDER BY seq DESC LIMIT 1")
_STOCKED = text(
    """
    SELECT coalesce(sum(accepted), 0) AS accepted, coalesce(sum(cost), 0) AS cost,
      (SELECT expires_at FROM unit WHERE lot_id = :lot AND seq = 1) AS head_expires_at
    FROM box_part WHERE import_id = :id
    """
)
_SEAL_NO = text(
    """
    SELECT coalesce(
      (SELECT seal_no FROM lot_seal WHERE lot_id = :lot AND key_id = :key_id
         AND sender_public_key = :sender LIMIT 1),
      (SELECT max(seal_no) + 1 FROM lot_seal WHERE lot_id = :lot),
      0) AS seal_no
    """
)
_ADD_SEAL = text(
    "INSERT INTO lot_seal (lot_id, seal_no, merchant_id, key_id, sender_public_key, proof) "
    "VALUES (:lot, :seal_no, :merchant, :key_id, :sender, :proof) ON CONFLICT DO NOTHING"
)
_SEAL_PARAMETERS = ("lot", "seal_no", "key_id", "sender")
_HAS_SEAL = text(
    "SELECT 1 FROM lot_seal WHERE lot_id = :lot AND seal_no = :seal_no AND key_id = :key_id "
    "AND sender_public_key = :sender"
)
_TAKEN_UNIT_IDS = text("SELECT unit_id FROM unit WHERE unit_id = ANY(CAST(:units AS uuid[]))")
