from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError

from inventory_vault.custody.domain import SealingKeyRetired
from inventory_vault.lots.domain import (
    CodeTaken,
    Levels,
    Lot,
    LotIdTaken,
    LotState,
    NewLot,
    SealedUnit,
)
from inventory_vault.on_shelf import ON_SHELF, exposure_told
from kit.db import Transaction, constraint_of
from kit.money import Money
from sealing import Seal

_UNIT_COLUMNS = (
    "lot_id",
    "seq",
    "unit_id",
    "merchant_id",
    "seal_no",
    "nonce",
    "box",
    "mask",
    "fingerprint",
    "unit_cost",
    "expires_at",
    "mark",
)


async def add(tx: Transaction, lot: NewLot) -> None:
    """The empty lot with its tally, and its seal if it has one already.

    Raises LotIdTaken, SealingKeyRetired.
    """
    values = {
        "id": lot.id,
        "merchant": lot.merchant_id,
        "pool": lot.pool_id,
        "unit_cost": lot.unit_cost.amount_minor,
        "currency": lot.unit_cost.currency,
        "expires_at": lot.expires_at,
        "supplier": lot.supplier,
        "note": lot.note,
        "key_id": lot.key_id,
        "sender": lot.sender_public_key,
        "proof": lot.seal_proof,
    }
    try:
        rows = await tx.execute(_ADD, values)
    except IntegrityError as error:
        if constraint_of(error) == "lot_seal_of_living_key":
            raise SealingKeyRetired from error
        raise
    if rows.rowcount == 0:
        raise LotIdTaken(lot_id=str(lot.id))


async def add_units(
    tx: Transaction, lot_id: UUID, merchant_id: UUID, units: Sequence[SealedUnit]
) -> None:
    """By COPY: 200,000 rows a second, where INSERT does a tenth."""
    connection = await tx.connection.get_raw_connection()
    driver = connection.driver_connection
    assert driver is not None
    await driver.copy_records_to_table(
        "unit",
        columns=_UNIT_COLUMNS,
        records=[
            (
                lot_id,
                unit.seq,
                unit.unit_id,
                merchant_id,
                unit.seal_no,
                unit.nonce,
                unit.box,
                unit.mask,
                unit.fingerprint,
                unit.unit_cost_minor,
                unit.expires_at,
                unit.mark,
            )
            for unit in units
        ],
    )


async def add_rows(tx: Transaction, rows: AsyncIterator[bytes], columns: Sequence[str]) -> None:
    """Rows that are in COPY's binary format already. Raises CodeTaken."""
    connection = await tx.connection.get_raw_connection()
    driver = connection.driver_connection
    assert driver is not None
    try:
        await driver.copy_to_table("unit", source=rows, columns=columns, format="binary")
    except UniqueViolationError as error:
        if error.constraint_name == "uq_unit_merchant_id_fingerprint":
            raise CodeTaken from error
        raise


async def add_seal(tx: Transaction, seal: Seal, proof: bytes) -> None:
    """Raises SealingKeyRetired."""
    values = {
        "lot": seal.lot_id,
        "seal_no": seal.seal_no,
        "merchant": seal.merchant_id,
        "key_id": seal.key_id,
        "sender": seal.sender_public_key,
        "proof": proof,
    }
    try:
        await tx.execute(_ADD_SEAL, values)
    except IntegrityError as error:
        if constraint_of(error) == "lot_seal_of_living_key":
            raise SealingKeyRetired from error
        raise


async def has_seal(tx: Transaction, seal: Seal) -> bool:
    values = {"lot": seal.lot_id, "seal_no": seal.seal_no, "sender": seal.sender_public_key}
    return (await tx.execute(_HAS_SEAL, values)).one_or_none() is not None


async def next_seal_no(tx: Transaction, lot_id: UUID) -> int:
    row = (await tx.execute(_NEXT_SEAL_NO, {"lot": lot_id})).one()
    return int(row.seal_no)


async def marks_elsewhere(tx: Transaction, merchant_id: UUID, marks: Sequence[int]) -> set[int]:
    rows = await tx.execute(_MARKS_ELSEWHERE, {"merchant": merchant_id, "marks": list(marks)})
    return {row.mark for row in rows}


async def last_seq(tx: Transaction, lot_id: UUID) -> int:
    """Of the units stored so far; 0 for none."""
    row = (await tx.execute(_LAST_SEQ, {"lot": lot_id})).one()
    return int(row.seq)


async def known_fingerprints(
    tx: Transaction, merchant_id: UUID, fingerprints: Sequence[bytes]
) -> set[bytes]:
    rows = await tx.execute(
        _KNOWN_FINGERPRINTS, {"merchant": merchant_id, "fingerprints": list(fingerprints)}
    )
    return {bytes(row.fingerprint) for row in rows}


async def put_on_shelf(
    tx: Transaction,
    lot_id: UUID,
    *,
    size: int,
    total_cost_minor: int,
    state: LotState,
    head: datetime | None,
    mixed_expiry: bool,
) -> datetime | None:
    """When the lot expires. Raises LotExposed."""
    values = {
        "lot": lot_id,
        "size": size,
        "total": total_cost_minor,
        "state": state.value,
        "head": head,
        "mixed": mixed_expiry,
    }
    with exposure_told(lot_id):
        rows = await tx.execute(_PUT_ON_SHELF, values)
    expires_at: datetime | None = rows.one().expires_at
    return expires_at


async def discard_units(tx: Transaction, lot_id: UUID, limit: int) -> int:
    """Deletes units of an importing or undone lot, with what is noted of them; how many."""
    row = (await tx.execute(_DISCARD_UNITS, {"lot": lot_id, "limit": limit})).one()
    return int(row.units)


async def undo(tx: Transaction, lot_id: UUID) -> bool:
    """False when a unit of it is held or sold, or the lot is void."""
    return (await tx.execute(_UNDO, {"lot": lot_id})).rowcount == 1


async def list_undone(tx: Transaction, limit: int) -> list[UUID]:
    return [row.id for row in await tx.execute(_UNDONE, {"limit": limit})]


async def discard(tx: Transaction, lot_id: UUID) -> None:
    await tx.execute(_DISCARD, {"lot": lot_id})


async def levels_of(tx: Transaction, pool_ids: Sequence[UUID]) -> dict[UUID, Levels]:
    """Per pool. Read from the lots' figures: exact, and no unit is counted."""
    rows = await tx.execute(_POOL_LEVELS, {"pools": list(pool_ids)})
    return {row.pool_id: _levels(row) for row in rows}


async def list_of_pool(tx: Transaction, pool_id: UUID, limit: int) -> list[Lot]:
    """The newest first."""
    return [
        _to_domain(row)
        for row in await tx.execute(_LOTS_OF_POOL, {"pool": pool_id, "limit": limit})
    ]


async def find(tx: Transaction, merchant_id: UUID, lot_id: UUID) -> Lot | None:
    rows = await tx.execute(_FIND, {"lot": lot_id, "merchant": merchant_id})
    row = rows.one_or_none()
    return _to_domain(row) if row else None


async def freeze(tx: Transaction) -> None:
    """All statements of `tx` see the same moment."""
    await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


async def count_rows(
    tx: Transaction, lot_id: UUID, first_seq: int, last_seq: int
) -> dict[str, int]:
    """The states of some units counted row by row: slow, independent of every counter."""
    values = {"lot": lot_id, "first": first_seq, "last": last_seq}
    row = (await tx.execute(_COUNT_ROWS, values)).one()
    return {name: int(value) for name, value in row._mapping.items()}  # noqa: SLF001 - public API


async def list_unbalanced(tx: Transaction, limit: int) -> list[Lot]:
    """Lots whose figures do not sum up to their size, or of which one is negative."""
    return [_to_domain(row) for row in await tx.execute(_UNBALANCED, {"limit": limit})]


def _to_domain(row: Row[Any]) -> Lot:
    return Lot(
        id=row.id,
        merchant_id=row.merchant_id,
        pool_id=row.pool_id,
        state=LotState(row.state),
        supplier=row.supplier,
        note=row.note,
        unit_cost=Money(row.unit_cost, row.currency),
        total_cost=Money(row.total_cost, row.currency),
        expires_at=row.expires_at,
        created_at=row.created_at,
        levels=_levels(row),
    )


def _levels(row: Row[Any]) -> Levels:
    return Levels(
        available=row.available,
        reserved=row.reserved,
        sold=row.sold,
        opened=row.opened,
        redeemed=row.redeemed,
        expired=row.expired,
        quarantined=row.quarantined,
        void=row.void,
        inactive=row.inactive,
        total=row.total,
    )


_ADD = text(
    """
    WITH new_lot AS (
      INSERT INTO lot
        (id, merchant_id, pool_id, state, unit_cost, currency, expires_at, supplier, note)
      VALUES
        (:id, :merchant, :pool, 'importing', :unit_cost, :currency, :expires_at, :supplier, :note)
      ON CONFLICT (id) DO NOTHING
      RETURNING id, merchant_id
    ), seal AS (
      INSERT INTO lot_seal (lot_id, seal_no, merchant_id, key_id, sender_public_key, proof)
      SELECT id, 0, merchant_id, :key_id, CAST(:sender AS bytea), CAST(:proof AS bytea)
      FROM new_lot WHERE CAST(:sender AS bytea) IS NOT NULL
    )
    INSERT INTO lot_tally (lot_id, merchant_id) SELECT id, merchant_id FROM new_lot
    """
)

_ADD_SEAL = text(
    "INSERT INTO lot_seal (lot_id, seal_no, merchant_id, key_id, sender_public_key, proof) "
    "VALUES (:lot, :seal_no, :merchant, :key_id, :sender, :proof)"
)

_HAS_SEAL = text(
    "SELECT seal_no FROM lot_seal WHERE lot_id = :lot AND seal_no = :seal_no "
    "AND sender_public_key = :sender"
)

_NEXT_SEAL_NO = text(
    "SELECT coalesce(max(seal_no), -1) + 1 AS seal_no FROM lot_seal WHERE lot_id = :lot"
)

_MARKS_ELSEWHERE = text(
    "SELECT DISTINCT mark FROM unit "
    "WHERE mark = ANY(CAST(:marks AS bigint[])) AND merchant_id <> :merchant"
)

_LAST_SEQ = text("SELECT coalesce(max(seq), 0) AS seq FROM unit WHERE lot_id = :lot")

_KNOWN_FINGERPRINTS = text(
    "SELECT fingerprint FROM unit WHERE merchant_id = :merchant "
    "AND fingerprint = ANY(CAST(:fingerprints AS bytea[]))"
)

_PUT_ON_SHELF = text(
    """
    UPDATE lot SET state = :state, size = :size, total_cost = :total, has_stock = :size > 0,
      head_expires_at = CASE WHEN CAST(:mixed AS boolean) THEN CAST(:head AS timestamptz)
        ELSE expires_at END,
      mixed_expiry = :mixed, on_shelf_at = clock_timestamp()
    WHERE id = :lot AND state = 'importing' RETURNING expires_at
    """
)

# From the end: while a reusable unit has slots left, its first one says that the code is known.
_DISCARD_UNITS = text(
    """
    WITH gone AS (
      DELETE FROM unit u USING lot l
      WHERE l.id = :lot AND l.state IN ('importing', 'undone') AND u.lot_id = l.id AND u.seq IN (
        SELECT seq FROM unit WHERE lot_id = :lot ORDER BY seq DESC LIMIT :limit)
      RETURNING u.seq
    ), restored AS (
      DELETE FROM withdrawn_unit w USING gone WHERE w.lot_id = :lot AND w.seq = gone.seq
    ), freed AS (
      DELETE FROM free_unit f USING gone WHERE f.lot_id = :lot AND f.seq = gone.seq
    )
    SELECT count(*)::int AS units FROM gone
    """
)

_DISCARD = text(
    """
    WITH gone AS (
      DELETE FROM lot WHERE id = :lot AND state IN ('importing', 'undone') RETURNING id
    )
    DELETE FROM gap_run g USING gone WHERE g.lot_id = gone.id
    """
)

_UNDO = text(
    """
    UPDATE lot SET state = 'undone', has_stock = false
    WHERE id = :lot AND state IN ('inactive', 'on_shelf', 'quarantined')
      AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.lot_id = :lot)
      AND NOT EXISTS (SELECT 1 FROM lot_tally t
        WHERE t.lot_id = :lot AND t.sold + t.opened + t.redeemed + t.written_off > 0)
    """
)

_UNDONE = text("SELECT id FROM lot WHERE state = 'undone' ORDER BY id LIMIT :limit")

# Every unit of a lot is on the shelf, allocated or withdrawn. On the shelf: by cursor and free
# list; withdrawn and sold: by tally; what remains is reserved. A lot that is frozen, void or past
# its time as a whole gives its units on the shelf that name, without touching one row.
_LEVELS = f"""
    SELECT l.id, l.merchant_id, l.pool_id, l.state, l.supplier, l.note, l.unit_cost, l.total_cost,
      l.currency, l.expires_at, l.created_at, t.sold, t.opened, t.redeemed,
      l.size AS total,
      l.size - s.on_shelf - t.sold - t.opened - t.redeemed - t.expired - t.quarantined - t.void
        - t.inactive AS reserved,
      CASE WHEN l.state = 'on_shelf' AND NOT p.past THEN s.on_shelf - x.expired_now ELSE 0 END
        AS available,
      t.expired + CASE WHEN l.state = 'on_shelf' AND p.past THEN s.on_shelf ELSE x.expired_now END
        AS expired,
      t.quarantined + CASE WHEN l.state = 'quarantined' THEN s.on_shelf - x.expired_now ELSE 0 END
        AS quarantined,
      t.void + CASE WHEN l.state = 'void' THEN s.on_shelf - x.expired_now ELSE 0 END AS void,
      t.inactive + CASE WHEN l.state = 'inactive' THEN s.on_shelf - x.expired_now ELSE 0 END
        AS inactive
    FROM (SELECT *, clock_timestamp() AS now FROM lot) l
    JOIN lot_tally t ON t.lot_id = l.id
    CROSS JOIN LATERAL (
      SELECT {ON_SHELF} AS on_shelf) s
    CROSS JOIN LATERAL (
      SELECT NOT l.mixed_expiry AND coalesce(l.head_expires_at <= l.now, false) AS past) p
    CROSS JOIN LATERAL (
      SELECT CASE WHEN l.mixed_expiry AND l.head_expires_at <= l.now THEN (
          SELECT count(*) FROM free_unit f WHERE f.lot_id = l.id AND f.expires_at <= l.now
        ) + (
          SELECT count(*) FROM unit u WHERE u.lot_id = l.id AND u.seq >= l.next_seq
            AND u.expires_at <= l.now AND NOT EXISTS (
              SELECT 1 FROM withdrawn_unit w WHERE w.lot_id = u.lot_id AND w.seq = u.seq)
            AND NOT EXISTS (
              SELECT 1 FROM allocation a WHERE a.lot_id = u.lot_id AND a.seq = u.seq)
        ) ELSE 0 END AS expired_now) x
    WHERE l.state NOT IN ('importing', 'undone')
"""  # noqa: S608 - constant parts

_FIND = text(f"{_LEVELS} AND l.id = :lot AND l.merchant_id = :merchant")

_LOTS_OF_POOL = text(f"{_LEVELS} AND l.pool_id = :pool ORDER BY l.id DESC LIMIT :limit")

_POOL_LEVELS = text(
    f"""
    SELECT pool_id, sum(available)::bigint AS available, sum(reserved)::bigint AS reserved,
      sum(sold)::bigint AS sold, sum(opened)::bigint AS opened, sum(redeemed)::bigint AS redeemed,
      sum(expired)::bigint AS expired, sum(quarantined)::bigint AS quarantined,
      sum(void)::bigint AS void, sum(inactive)::bigint AS inactive, sum(total)::bigint AS total
    FROM ({_LEVELS} AND l.pool_id = ANY(CAST(:pools AS uuid[]))) lots GROUP BY pool_id
    """  # noqa: S608 - constant parts
)

_UNBALANCED = text(
    f"""
    SELECT * FROM ({_LEVELS}) books
    WHERE available + reserved + sold + opened + redeemed + expired + quarantined + void + inactive
        <> total
      OR least(available, reserved, sold, opened, redeemed, expired, quarantined, void, inactive)
        < 0
    ORDER BY id LIMIT :limit
    """  # noqa: S608 - constant parts
)

# Sales are found by their unit: an index by lot would be one more for every sale to write.
_COUNT_ROWS = text(
    """
    SELECT count(*) AS imported,
      count(*) FILTER (WHERE a.state = 'reserved') AS reserved,
      count(*) FILTER (WHERE a.state = 'sold') AS sold,
      count(*) FILTER (WHERE a.state = 'opened') AS opened,
      count(*) FILTER (WHERE a.state = 'redeemed') AS redeemed,
      count(w.seq) AS withdrawn,
      count(s.unit_id) AS sales,
      count(*) FILTER (WHERE a.seq IS NULL AND w.seq IS NULL) AS on_shelf
    FROM unit u
    LEFT JOIN allocation a ON a.lot_id = u.lot_id AND a.seq = u.seq
    LEFT JOIN withdrawn_unit w ON w.lot_id = u.lot_id AND w.seq = u.seq
    LEFT JOIN unit_sale s ON s.unit_id = u.unit_id
    WHERE u.lot_id = :lot AND u.seq BETWEEN :first AND :last
    """
)
