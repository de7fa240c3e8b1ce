from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError

from inventory_vault.reservations.domain import (
    Line,
    ReferenceTaken,
    Reservation,
    ReservationStatus,
    Wish,
)
from kit.db import Transaction, constraint_of


async def add(
    tx: Transaction, new: Sequence[tuple[UUID, Wish]], budgeted: Container[UUID] = ()
) -> list[Reservation]:
    """New holds with their lines, in the order given: one statement. Raises ReferenceTaken."""
    lines = [(id_, wish.merchant_id, line) for id_, wish in new for line in wish.lines]
    hashes = [wish.request_hash() for _, wish in new]
    try:
        rows = await tx.execute(
            _ADD,
            {
                "ids": [id_ for id_, _ in new],
                "merchants": [wish.merchant_id for _, wish in new],
                "references": [wish.reference for _, wish in new],
                "hashes": hashes,
                "quantities": [wish.quantity for _, wish in new],
                "holds": [wish.hold_seconds for _, wish in new],
                "budgeted": [id_ in budgeted for id_, _ in new],
                "line_ids": [id_ for id_, _, _ in lines],
                "line_merchants": [merchant_id for _, merchant_id, _ in lines],
                "line_nos": [line.line_no for _, _, line in lines],
                "pools": [line.pool_id for _, _, line in lines],
                "line_quantities": [line.quantity for _, _, line in lines],
                "validities": [line.min_valid_seconds for _, _, line in lines],
            },
        )
    except IntegrityError as error:
        if constraint_of(error) == "uq_reservation_merchant_id_reference":
            raise ReferenceTaken from error
        raise
    times = {row.id: row for row in rows}
    return [
        Reservation(
            id=id_,
            merchant_id=wish.merchant_id,
            reference=wish.reference,
            status=ReservationStatus.HELD,
            request_hash=request_hash,
            created_at=times[id_].created_at,
            expires_at=times[id_].expires_at,
            lines=wish.lines,
            is_budgeted=id_ in budgeted,
        )
        for (id_, wish), request_hash in zip(new, hashes, strict=True)
    ]


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


async def settle(
    tx: Transaction,
    ids: Sequence[UUID],
    status: ReservationStatus,
    reasons: Sequence[str] | None = None,
) -> None:
    """The new status of locked reservations; `reasons` is as long as `ids`."""
    await tx.execute(
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


_ADD = text(
    """
    WITH new AS (
      SELECT *, clock_timestamp() AS now FROM unnest(
        CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:references AS text[]),
        CAST(:hashes AS bytea[]), CAST(:quantities AS int[]), CAST(:holds AS int[]),
        CAST(:budgeted AS boolean[])
      ) AS n(id, merchant_id, reference, request_hash, quantity, hold_seconds, is_budgeted)
    ), lines AS (
      INSERT INTO reservation_line
        (reservation_id, merchant_id, line_no, pool_id, quantity, min_valid_seconds)
      SELECT * FROM unnest(
        CAST(:line_ids AS uuid[]), CAST(:line_merchants AS uuid[]), CAST(:line_nos AS smallint[]),
        CAST(:pools AS uuid[]), CAST(:line_quantities AS int[]), CAST(:validities AS int[]))
    )
    INSERT INTO reservation
      (id, merchant_id, reference, status, request_hash, quantity, created_at, expires_at,
       is_budgeted)
    SELECT id, merchant_id, reference, 'held', request_hash, quantity, now,
      now + make_interval(secs => hold_seconds), is_budgeted
    FROM new
    RETURNING id, created_at, expires_at
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
