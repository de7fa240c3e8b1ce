from collections.abc import Container, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from inventory_vault.reservations.domain import (
    Line,
    ReferenceTaken,
    Reservation,
    ReservationStatus,
    Wish,
)
from kit.db import Transaction


def add(
    tx: Transaction,
    new: Sequence[tuple[UUID, Wish]],
    at: datetime,
    budgeted: Container[UUID] = (),
) -> list[Reservation]:
    """New holds with their lines, in the order given. What is written with them raises
    ReferenceTaken.
    """
    lines = [(id_, wish.merchant_id, line) for id_, wish in new for line in wish.lines]
    held = [
        Reservation(
            id=id_,
            merchant_id=wish.merchant_id,
            reference=wish.reference,
            status=ReservationStatus.HELD,
            request_hash=wish.request_hash(),
            created_at=at,
            expires_at=at + timedelta(seconds=wish.hold_seconds),
            lines=wish.lines,
            is_budgeted=id_ in budgeted,
        )
        for id_, wish in new
    ]
    tx.later(
        _ADD_LINES,
        {
            "ids": [id_ for id_, _, _ in lines],
            "merchants": [merchant_id for _, merchant_id, _ in lines],
            "line_nos": [line.line_no for _, _, line in lines],
            "pools": [line.pool_id for _, _, line in lines],
            "quantities": [line.quantity for _, _, line in lines],
            "validities": [line.min_valid_seconds for _, _, line in lines],
        },
    )
    tx.later(
        _ADD,
        {
            "ids": [one.id for one in held],
            "merchants": [one.merchant_id for one in held],
            "references": [one.reference for one in held],
            "hashes": [one.request_hash for one in held],
            "quantities": [wish.quantity for _, wish in new],
            "ends": [one.expires_at for one in held],
            "budgeted": [one.is_budgeted for one in held],
            "at": at,
        },
        violations={"uq_reservation_merchant_id_reference": ReferenceTaken},
    )
    return held


async def find_by_reference(
    tx: Transaction, names: Sequence[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Reservation]:
    rows = await tx.execute(
        _FIND_BY_REFERENCE,
        {"merchants": [name[0] for name in names], "references": [name[1] for name in names]},
    )
    return {(found.merchant_id, found.reference): found for found in map(_to_domain, rows)}


async def find(tx: Transaction, merchant_id: UUID, reservation_id: UUID) -> Reservation | None:
    rows = await tx.execute(_FIND, {"ids": [reservation_id], "merchant": merchant_id})
    row = rows.one_or_none()
    return _to_domain(row) if row else None


async def lock(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Reservation]:
    """The reservations, locked in the order of their ids."""
    rows = await tx.execute(_LOCK, {"ids": sorted(set(ids))})
    return {row.id: _to_domain(row) for row in rows}


async def lock_due(tx: Transaction, limit: int) -> list[Reservation]:
    """Holds past their time that nobody works on at the moment."""
    return [_to_domain(row) for row in await tx.execute(_LOCK_DUE, {"limit": limit})]


def settle(
    tx: Transaction,
    ids: Sequence[UUID],
    status: ReservationStatus,
    reasons: Sequence[str] | None = None,
) -> None:
    """The new status of locked reservations; `reasons` is as long as `ids`."""
    tx.later(
        _SETTLE,
        {
            "ids": list(ids),
            "status": status.value,
            "reasons": list(reasons) if reasons else [None] * len(ids),
        },
    )


async def extend(
    tx: Transaction, reservation_id: UUID, hold_seconds: int, total_seconds_max: int
) -> datetime | None:
    """The locked hold's new end; None when it would be too long after its beginning."""
    values = {"id": reservation_id, "seconds": hold_seconds, "max": total_seconds_max}
    row = (await tx.execute(_EXTEND, values)).one_or_none()
    return row.expires_at if row else None


def _to_domain(row: Row[Any]) -> Reservation:
    return Reservation(
        id=row.id,
        merchant_id=row.merchant_id,
        reference=row.reference,
        status=ReservationStatus(row.status),
        request_hash=bytes(row.request_hash),
        created_at=row.created_at,
        expires_at=row.expires_at,
        lines=tuple(
            Line(*line)
            for line in zip(row.line_nos, row.pool_ids, row.quantities, row.validities, strict=True)
        ),
        sold_quantities=tuple(row.sold_quantities) if row.sold_quantities else None,
        is_budgeted=row.is_budgeted,
    )


_ADD_LINES = text(
    """
    INSERT INTO reservation_line
      (reservation_id, merchant_id, line_no, pool_id, quantity, min_valid_seconds)
    SELECT * FROM unnest(
      CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:line_nos AS smallint[]),
      CAST(:pools AS uuid[]), CAST(:quantities AS int[]), CAST(:validities AS int[]))
    """
)
_ADD = text(
    """
    INSERT INTO reservation
      (id, merchant_id, reference, status, request_hash, quantity, created_at, expires_at,
       is_budgeted)
    SELECT id, merchant_id, reference, 'held', request_hash, quantity, CAST(:at AS timestamptz),
      expires_at, is_budgeted
    FROM unnest(
      CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:references AS text[]),
      CAST(:hashes AS bytea[]), CAST(:quantities AS int[]), CAST(:ends AS timestamptz[]),
      CAST(:budgeted AS boolean[])
    ) AS n(id, merchant_id, reference, request_hash, quantity, expires_at, is_budgeted)
    """
)

_COLUMNS = """
    r.id, r.merchant_id, r.reference, r.status, r.request_hash, r.created_at, r.expires_at,
    r.sold_quantities, r.is_budgeted, l.line_nos, l.pool_ids, l.quantities, l.validities
"""

# Lines never change, so they may be read with another snapshot than the locked row.
_LINES = """
    CROSS JOIN LATERAL (
      SELECT array_agg(o.line_no) AS line_nos, array_agg(o.pool_id) AS pool_ids,
        array_agg(o.quantity) AS quantities, array_agg(o.min_valid_seconds) AS validities
      FROM (SELECT * FROM reservation_line WHERE reservation_id = r.id ORDER BY line_no) o) l
"""

# LATERAL with LIMIT: one index look-up per reference, however young the table's statistics are.
_FIND_BY_REFERENCE = text(
    f"""
    SELECT {_COLUMNS}
    FROM unnest(CAST(:merchants AS uuid[]), CAST(:references AS text[]))
      AS k(merchant_id, reference)
    CROSS JOIN LATERAL (
      SELECT * FROM reservation WHERE merchant_id = k.merchant_id AND reference = k.reference
      LIMIT 1) AS r {_LINES}
    """  # noqa: S608 - constant columns
)

_FIND = text(
    f"""
    SELECT {_COLUMNS} FROM reservation r {_LINES}
    WHERE r.id = ANY(CAST(:ids AS uuid[])) AND r.merchant_id = :merchant
    """  # noqa: S608 - constant columns
)

_LOCK = text(
    f"""
    SELECT {_COLUMNS} FROM reservation r {_LINES} WHERE r.id = ANY(CAST(:ids AS uuid[]))
    ORDER BY r.id FOR NO KEY UPDATE OF r
    """  # noqa: S608 - constant columns
)

_LOCK_DUE = text(
    f"""
    WITH due AS MATERIALIZED (
      SELECT id FROM reservation WHERE status = 'held' AND expires_at < clock_timestamp()
      ORDER BY expires_at LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT {_COLUMNS} FROM reservation r JOIN due ON due.id = r.id {_LINES} ORDER BY r.expires_at
    """  # noqa: S608 - constant columns
)

_SETTLE = text(
    """
    UPDATE reservation r SET
      status = :status,
      release_reason = s.reason,
      settled_at = CASE WHEN :status = 'secured' THEN NULL ELSE clock_timestamp() END,
      expires_at = CASE WHEN :status IN ('secured', 'sold') THEN NULL ELSE r.expires_at END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS s(id, reason)
    WHERE r.id = s.id
    """
)

_EXTEND = text(
    """
    UPDATE reservation r SET expires_at = m.until
    FROM (SELECT clock_timestamp() + make_interval(secs => :seconds) AS until) m
    WHERE r.id = :id AND r.status = 'held'
      AND m.until <= r.created_at + make_interval(secs => :max)
    RETURNING r.expires_at
    """
)
