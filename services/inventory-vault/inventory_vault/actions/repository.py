from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from inventory_vault.actions.domain import Candidate, StockAction, StockFilter
from inventory_vault.on_shelf import LIVES
from inventory_vault.withdrawals.domain import Action
from kit.db import Transaction


async def candidates(
    tx: Transaction,
    wanted: StockFilter,
    shelves_of: Sequence[str],
    withdrawn_as: Sequence[str],
    limit: int,
) -> list[Candidate]:
    """Units that stand on the shelf of such lots or are withdrawn so, in order of their lots."""
    query = _NAMED_CANDIDATES if wanted.unit_ids is not None else _CANDIDATES
    values = {
        **_values(wanted),
        "shelves": list(shelves_of),
        "withdrawn": list(withdrawn_as),
        "limit": limit,
    }
    rows = await tx.execute(query, values)
    return [Candidate(row.unit_id, row.lot_id, row.is_by_lot) for row in rows]


async def count_taken(tx: Transaction, wanted: StockFilter, limit: int) -> tuple[int, int]:
    """(held, sold) of what the filter names; no further than `limit`."""
    query = _NAMED_TAKEN if wanted.unit_ids is not None else _TAKEN
    row = (await tx.execute(query, {**_values(wanted), "limit": limit})).one()
    return row.held, row.sold


async def lots_in(tx: Transaction, wanted: StockFilter, state: str) -> list[UUID]:
    """The lots the filter names that are in this state."""
    rows = await tx.execute(_LOTS_IN, {**_values(wanted, by_unit=False), "state": state})
    return [row.id for row in rows]


async def add(
    tx: Transaction,
    action_id: UUID,
    merchant_id: UUID,
    action: Action,
    wanted: StockFilter,
    *,
    document: Mapping[str, Any],
    units: int,
    reason: str,
    requested_by: str,
) -> None:
    await tx.execute(
        _ADD,
        {
            "id": action_id,
            "merchant": merchant_id,
            "pool": wanted.pool_id,
            "action": action.value,
            "filter": orjson.dumps(document).decode(),
            "units": units,
            "reason": reason,
            "caller": requested_by,
        },
    )


async def list_of(
    tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
) -> list[StockAction]:
    """The newest first."""
    rows = await tx.execute(_LIST, {"merchant": merchant_id, "after": after, "limit": limit})
    return [_to_domain(row) for row in rows]


def _values(wanted: StockFilter, *, by_unit: bool = True) -> dict[str, Any]:
    values: dict[str, Any] = {
        "pool": wanted.pool_id,
        "lots": list(wanted.lot_ids) if wanted.lot_ids is not None else None,
        "supplier": wanted.supplier,
        "from": wanted.imported_from,
        "to": wanted.imported_to,
    }
    if by_unit:
        values |= {"before": wanted.expires_before, "mask": wanted.mask}
        if wanted.unit_ids is not None:
            values["units"] = list(wanted.unit_ids)
    return values


def _to_domain(row: Row[Any]) -> StockAction:
    stored = row.filter
    return StockAction(
        id=row.id,
        action=Action(row.action),
        pool_id=row.pool_id,
        lot_id=row.lot_id,
        unit_id=row.unit_id,
        filter=orjson.loads(stored) if isinstance(stored, str | bytes) else stored,
        units=row.units,
        reason=row.reason,
        requested_by=row.requested_by,
        acted_at=row.acted_at,
    )


_LOTS = """
      SELECT * FROM lot WHERE pool_id = :pool AND state NOT IN ('importing', 'undone')
        AND (CAST(:lots AS uuid[]) IS NULL OR id = ANY(CAST(:lots AS uuid[])))
        AND (CAST(:supplier AS text) IS NULL OR supplier = :supplier)
        AND (CAST(:from AS timestamptz) IS NULL OR created_at >= :from)
        AND (CAST(:to AS timestamptz) IS NULL OR created_at < :to)
"""
_UNIT_FITS = """
        (CAST(:before AS timestamptz) IS NULL OR coalesce(u.expires_at, l.expires_at) < :before)
        AND (CAST(:mask AS text) IS NULL OR u.mask = :mask)
"""
_ALL = "unit"
_NAMED = "(SELECT * FROM unit WHERE unit_id = ANY(CAST(:units AS uuid[])))"


def _candidates_of(units: str) -> str:
    """Three places: ahead of the cursor, the free list, withdrawn one by one."""
    return f"""
    WITH lots AS MATERIALIZED ({_LOTS})
    SELECT unit_id, lot_id, is_by_lot FROM (
      (SELECT u.unit_id, u.lot_id, u.seq, true AS is_by_lot
       FROM lots l JOIN {units} u ON u.lot_id = l.id AND u.seq >= l.next_seq
       WHERE l.state = ANY(CAST(:shelves AS text[])) AND {_UNIT_FITS} AND {LIVES}
         AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.lot_id = u.lot_id AND a.seq = u.seq)
         AND NOT EXISTS (
           SELECT 1 FROM withdrawn_unit w WHERE w.lot_id = u.lot_id AND w.seq = u.seq)
       LIMIT :limit)
      UNION ALL
      (SELECT u.unit_id, u.lot_id, u.seq, true
       FROM lots l JOIN free_unit f ON f.lot_id = l.id
       JOIN {units} u ON u.lot_id = f.lot_id AND u.seq = f.seq
       WHERE l.state = ANY(CAST(:shelves AS text[])) AND {_UNIT_FITS} AND {LIVES}
       LIMIT :limit)
      UNION ALL
      (SELECT u.unit_id, u.lot_id, u.seq, false
       FROM lots l JOIN withdrawn_unit w ON w.lot_id = l.id
       JOIN {units} u ON u.lot_id = w.lot_id AND u.seq = w.seq
       WHERE w.state = ANY(CAST(:withdrawn AS text[])) AND {_UNIT_FITS}
       LIMIT :limit)
    ) found ORDER BY lot_id, seq LIMIT :limit
    """  # noqa: S608 - constant parts


def _taken_of(units: str) -> str:
    return f"""
    WITH lots AS MATERIALIZED ({_LOTS})
    SELECT count(*) FILTER (WHERE state = 'reserved')::int AS held,
      count(*) FILTER (WHERE state <> 'reserved')::int AS sold
    FROM (
      SELECT a.state FROM lots l JOIN allocation a ON a.lot_id = l.id
      JOIN {units} u ON u.lot_id = a.lot_id AND u.seq = a.seq
      WHERE {_UNIT_FITS} LIMIT :limit
    ) taken
    """  # noqa: S608 - constant parts


_CANDIDATES = text(_candidates_of(_ALL))
_NAMED_CANDIDATES = text(_candidates_of(_NAMED))
_TAKEN = text(_taken_of(_ALL))
_NAMED_TAKEN = text(_taken_of(_NAMED))

_LOTS_IN = text(f"SELECT id FROM ({_LOTS}) lots WHERE state = :state ORDER BY id")  # noqa: S608

_ADD = text(
    """
    INSERT INTO stock_action (id, merchant_id, pool_id, action, filter, units, reason, requested_by)
    VALUES (:id, :merchant, :pool, :action, CAST(:filter AS jsonb), :units, :reason, :caller)
    """
)

_LIST = text(
    """
    SELECT * FROM stock_action
    WHERE merchant_id = :merchant AND (CAST(:after AS uuid) IS NULL OR id < :after)
    ORDER BY id DESC LIMIT :limit
    """
)
