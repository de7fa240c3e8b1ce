from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from inventory_vault.on_shelf import ON_SHELF
from inventory_vault.units.domain import Evidence, Unit, UnitFilter, View, Viewer
from kit.db import Transaction
from kit.money import Money


@dataclass(frozen=True, slots=True)
class LockedUnit:
    lot_id: UUID
    seq: int
    reservation_id: UUID | None
    state: str | None
    is_revoked: bool = False


async def lock(tx: Transaction, merchant_id: UUID, unit_id: UUID) -> LockedUnit | None:
    """The unit with its allocation locked; `state` is None while nobody has it."""
    rows = await tx.execute(_LOCK, {"unit": unit_id, "merchant": merchant_id})
    row = rows.one_or_none()
    if row is None:
        return None
    return LockedUnit(row.lot_id, row.seq, row.reservation_id, row.state, row.is_revoked)


async def add_view(
    tx: Transaction,
    view_id: UUID,
    merchant_id: UUID,
    unit_id: UUID,
    reservation_id: UUID,
    recipient_public_key: bytes,
    viewer: Viewer,
    reason: str,
    requested_by: str,
    salt: bytes,
) -> None:
    await tx.execute(
        _ADD_VIEW,
        {
            "id": view_id,
            "merchant": merchant_id,
            "unit": unit_id,
            "reservation": reservation_id,
            "key": recipient_public_key,
            "kind": viewer.kind,
            "viewer": viewer.id,
            "ip": viewer.ip,
            "user_agent": viewer.user_agent,
            "reason": reason,
            "caller": requested_by,
            "salt": salt,
        },
    )


async def find(tx: Transaction, merchant_id: UUID, unit_id: UUID) -> Unit | None:
    rows = await tx.execute(_FIND, {"unit": unit_id, "merchant": merchant_id})
    row = rows.one_or_none()
    return _to_domain(row) if row else None


async def find_evidence(tx: Transaction, merchant_id: UUID, unit_id: UUID) -> Evidence | None:
    """None of a unit that is not there or not sold."""
    rows = await tx.execute(_EVIDENCE, {"unit": unit_id, "merchant": merchant_id})
    row = rows.one_or_none()
    if row is None:
        return None
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public API
    cost = Money(fields.pop("cost_minor"), fields.pop("currency"))
    return Evidence(**fields, unit_cost=cost)


async def list_of(
    tx: Transaction,
    merchant_id: UUID,
    wanted: UnitFilter,
    *,
    after: tuple[UUID, int] | None,
    limit: int,
) -> list[Unit]:
    """In order of lots and numbers."""
    values: dict[str, Any] = {
        "merchant": merchant_id,
        "pool": wanted.pool_id,
        "lot": wanted.lot_id,
        "state": wanted.state,
        "after_lot": after[0] if after else None,
        "after_seq": after[1] if after else None,
        "limit": limit,
    }
    query = _LISTS.get(wanted.state or "", _LIST_ON_SHELF)
    if wanted.reservation_id is not None:
        query = _LIST_OF_RESERVATION
        values["reservation"] = wanted.reservation_id
    return [_to_domain(row) for row in await tx.execute(query, values)]


async def list_views(
    tx: Transaction, merchant_id: UUID, unit_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[View]:
    """The oldest first."""
    rows = await tx.execute(
        _VIEWS, {"unit": unit_id, "merchant": merchant_id, "after": after, "limit": limit}
    )
    return [View(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public API


def _to_domain(row: Row[Any]) -> Unit:
    return Unit(
        unit_id=row.unit_id,
        merchant_id=row.merchant_id,
        pool_id=row.pool_id,
        lot_id=row.lot_id,
        seq=row.seq,
        mask=row.mask,
        state=row.state,
        expires_at=row.expires_at,
        reservation_id=row.reservation_id,
        reference=row.reference,
        line_no=row.line_no,
        sold_at=row.sold_at,
        refusal=row.refusal,
        shredded_at=row.shredded_at,
        revoked_at=row.revoked_at,
        revoke_reason=row.revoke_reason,
    )


# The allocation may be missing, and FOR UPDATE cannot lock the empty side of an outer join: hence
# two steps in one statement.
_LOCK = text(
    """
    WITH found AS (
      SELECT lot_id, seq FROM unit WHERE unit_id = :unit AND merchant_id = :merchant
    ), taken AS (
      SELECT a.reservation_id, a.state FROM allocation a, found
      WHERE a.lot_id = found.lot_id AND a.seq = found.seq FOR NO KEY UPDATE OF a
    )
    SELECT found.lot_id, found.seq, taken.reservation_id, taken.state,
      vault_is_revoked(:unit) AS is_revoked
    FROM found LEFT JOIN taken ON true
    """
)

_ADD_VIEW = text(
    """
    INSERT INTO unit_view (id, merchant_id, unit_id, reservation_id, recipient_public_key,
      viewer_kind, viewer_id, ip, user_agent, reason, requested_by, salt)
    VALUES (:id, :merchant, :unit, :reservation, :key, :kind, :viewer, :ip, :user_agent, :reason,
      :caller, :salt)
    """
)

_UNITS = """
    SELECT u.unit_id, u.merchant_id, l.pool_id, u.lot_id, u.seq, u.mask,
      coalesce(u.expires_at, l.expires_at) AS expires_at,
      a.reservation_id, a.line_no, r.reference, s.sold_at, al.details ->> 'reason' AS refusal,
      d.shredded_at, v.revoked_at, v.reason AS revoke_reason,
      coalesce(a.state, w.state, CASE
        WHEN l.state <> 'on_shelf' THEN l.state
        WHEN coalesce(u.expires_at, l.expires_at) <= clock_timestamp() THEN 'expired'
        ELSE 'available' END) AS state
    FROM unit u
    JOIN lot l ON l.id = u.lot_id AND l.state NOT IN ('importing', 'undone')
    LEFT JOIN allocation a ON a.lot_id = u.lot_id AND a.seq = u.seq
    LEFT JOIN withdrawn_unit w ON w.lot_id = u.lot_id AND w.seq = u.seq
    LEFT JOIN unit_sale s ON s.unit_id = u.unit_id
    LEFT JOIN reservation r ON r.id = a.reservation_id
    LEFT JOIN shredding d ON d.id = u.shredding_id
    LEFT JOIN unit_revocation v ON v.unit_id = u.unit_id
    LEFT JOIN alarm al ON al.kind = 'box_refused' AND al.object_id = u.unit_id
      AND al.closed_at IS NULL
"""

_FIND = text(f"{_UNITS} WHERE u.unit_id = :unit AND u.merchant_id = :merchant")

_PAGE = """
      AND (CAST(:after_lot AS uuid) IS NULL
        OR ({0}.lot_id, {0}.seq) > (CAST(:after_lot AS uuid), CAST(:after_seq AS int)))
      AND {0}.merchant_id = :merchant
"""
_IN_ORDER = "ORDER BY lot_id, seq LIMIT :limit"

_LOTS = f"""
    SELECT l.id FROM lot l JOIN lot_tally t ON t.lot_id = l.id
    CROSS JOIN LATERAL (
      SELECT {ON_SHELF} AS on_shelf) s
    WHERE l.merchant_id = :merchant
      AND (CAST(:pool AS uuid) IS NULL OR l.pool_id = :pool)
      AND (CAST(:lot AS uuid) IS NULL OR l.id = :lot)
"""  # noqa: S608 - constant parts

_LIST = text(
    f"""
    {_UNITS} WHERE u.lot_id = ANY(ARRAY({_LOTS})) {_PAGE.format("u")}
    ORDER BY u.lot_id, u.seq LIMIT :limit
    """
)

# A state that few units are in is looked for where it stands, in lots whose counters say that one
# of theirs is in it: among all units of a merchant it would be sought for minutes.
_WHERE_TAKEN = """
    AND CASE CAST(:state AS text) WHEN 'sold' THEN t.sold WHEN 'opened' THEN t.opened
      WHEN 'redeemed' THEN t.redeemed
      ELSE l.size - s.on_shelf - t.sold - t.opened - t.redeemed - t.expired - t.quarantined
        - t.void - t.inactive END > 0
"""
_LIST_TAKEN = text(
    f"""
    {_UNITS} WHERE a.lot_id = ANY(ARRAY({_LOTS} {_WHERE_TAKEN})) AND a.state = CAST(:state AS text)
      {_PAGE.format("a")}
    ORDER BY a.lot_id, a.seq LIMIT :limit
    """
)

_WHERE_WITHDRAWN = """
    AND CASE CAST(:state AS text) WHEN 'expired' THEN t.expired WHEN 'void' THEN t.void
      WHEN 'quarantined' THEN t.quarantined WHEN 'inactive' THEN t.inactive ELSE 0 END > 0
"""
# What stands on a shelf is in the state of its lot, or past its time.
_WHERE_ON_SHELF = """
    AND s.on_shelf > 0 AND CASE CAST(:state AS text) WHEN 'available' THEN l.state = 'on_shelf'
      WHEN 'expired' THEN l.state = 'on_shelf'
        AND (l.mixed_expiry
          OR coalesce(least(l.head_expires_at, l.expires_at) <= clock_timestamp(), false))
      ELSE l.state = CAST(:state AS text) END
"""
_LIST_ON_SHELF = text(
    f"""
    SELECT * FROM (
      (SELECT * FROM ({_UNITS}
         WHERE w.lot_id = ANY(ARRAY({_LOTS} {_WHERE_WITHDRAWN})) AND w.state = CAST(:state AS text)
           AND a.seq IS NULL {_PAGE.format("w")}) withdrawn
       {_IN_ORDER})
      UNION ALL
      (SELECT * FROM ({_UNITS}
         WHERE u.lot_id = ANY(ARRAY({_LOTS} {_WHERE_ON_SHELF})) AND a.seq IS NULL
           AND w.seq IS NULL {_PAGE.format("u")}) on_shelf
       WHERE state = CAST(:state AS text) {_IN_ORDER})
    ) units {_IN_ORDER}
    """  # noqa: S608 - constant parts
)
_LISTS = {"": _LIST, **dict.fromkeys(("reserved", "sold", "opened", "redeemed"), _LIST_TAKEN)}

_LIST_OF_RESERVATION = text(
    f"""
    SELECT * FROM ({_UNITS} WHERE a.reservation_id = :reservation {_PAGE.format("u")}) units
    WHERE (CAST(:state AS text) IS NULL OR state = CAST(:state AS text))
      AND (CAST(:pool AS uuid) IS NULL OR pool_id = :pool)
      AND (CAST(:lot AS uuid) IS NULL OR lot_id = :lot)
    ORDER BY lot_id, seq LIMIT :limit
    """  # noqa: S608 - constant parts
)

_EVIDENCE = text(
    """
    SELECT u.unit_id, l.pool_id, u.lot_id, l.state AS lot_state, l.supplier,
      coalesce(u.unit_cost, l.unit_cost) AS cost_minor, l.currency, a.state, s.sold_at,
      v.revoked_at, seen.views, seen.first_viewed_at, seen.last_viewed_at, handed.handed_out_at,
      t.sold + t.opened + t.redeemed AS lot_sold
    FROM unit u
    JOIN lot l ON l.id = u.lot_id
    JOIN lot_tally t ON t.lot_id = u.lot_id
    JOIN allocation a ON a.lot_id = u.lot_id AND a.seq = u.seq
    JOIN unit_sale s ON s.unit_id = u.unit_id
    LEFT JOIN unit_revocation v ON v.unit_id = u.unit_id
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS views, min(seen_at) AS first_viewed_at, max(seen_at) AS last_viewed_at
      FROM unit_view w WHERE w.unit_id = u.unit_id) seen
    CROSS JOIN LATERAL (
      SELECT min(requested_at) AS handed_out_at FROM handout h
      WHERE h.reservation_id = s.reservation_id) handed
    WHERE u.unit_id = :unit AND u.merchant_id = :merchant
    """
)

_VIEWS = text(
    """
    SELECT * FROM (
      SELECT id, 'reveal' AS kind, viewer_kind, viewer_id, ip, user_agent, reason, seen_at
      FROM unit_view WHERE unit_id = :unit AND merchant_id = :merchant
      UNION ALL
      SELECT h.id, 'handout', split_part(h.requested_by, ':', 1), h.requested_by, NULL, NULL,
        'handed out whole', h.requested_at
      FROM unit_sale s JOIN handout h ON h.reservation_id = s.reservation_id
      WHERE s.unit_id = :unit AND s.merchant_id = :merchant
    ) views
    WHERE CAST(:after AS uuid) IS NULL OR id > :after
    ORDER BY id LIMIT :limit
    """
)
