"""SQL of stopped lots."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from fulfillment.lot_quarantines.domain import LotFigures, LotQuarantine, QuarantineState
from kit.db import Transaction

_FIELDS = tuple(field.name for field in fields(LotQuarantine))
_COLUMNS = ", ".join(f"q.{name}" for name in _FIELDS)


async def add(tx: Transaction, found: Sequence[tuple[LotFigures, int, int]]) -> list[LotQuarantine]:
    """(figures, bound, norm) of lots to be stopped. Answers those that were not stopped already."""
    ordered = sorted(found, key=lambda it: it[0].lot_id)
    rows = await tx.execute(
        _ADD,
        {
            "lots": [figures.lot_id for figures, _, _ in ordered],
            "merchants": [figures.merchant_id for figures, _, _ in ordered],
            "skus": [figures.sku for figures, _, _ in ordered],
            "orders": [figures.order_id for figures, _, _ in ordered],
            "claims": [figures.claims for figures, _, _ in ordered],
            "buyers": [figures.buyers for figures, _, _ in ordered],
            "sold": [figures.sold for figures, _, _ in ordered],
            "bounds": [bound for _, bound, _ in ordered],
            "norms": [norm for _, _, norm in ordered],
        },
    )
    return [_quarantine(row) for row in rows]


async def take_due(tx: Transaction, *, lease: timedelta) -> LotQuarantine | None:
    """A lot the vault is still to be told of; others skip it while the lease lasts."""
    row = (await tx.execute(_TAKE, {"lease": lease})).one_or_none()
    return _quarantine(row) if row else None


async def settle(tx: Transaction, lot_id: UUID, round_no: int, state: QuarantineState) -> bool:
    """due -> `state`, in this round; False when somebody did so before."""
    values = {"lot_id": lot_id, "round": round_no, "state": state.value}
    return (await tx.execute(_SETTLE, values)).rowcount == 1


async def take_restore(
    tx: Transaction, lot: LotQuarantine, turn: UUID, *, lease: timedelta
) -> bool:
    """The right to tell the vault of it, in this round; False while somebody else has it, or when
    it is in another state by now.
    """
    values = {"lot_id": lot.lot_id, "round": lot.round, "turn": turn, "lease": lease}
    return (await tx.execute(_TAKE_RESTORE, values)).rowcount == 1


async def give_up_restore(tx: Transaction, lot: LotQuarantine, turn: UUID) -> None:
    """The vault has refused it."""
    await tx.execute(_GIVE_UP_RESTORE, {"lot_id": lot.lot_id, "turn": turn})


async def restore(tx: Transaction, lot: LotQuarantine, turn: UUID, reason: str, who: str) -> bool:
    """quarantined -> restored, by whose turn it is; False when it is somebody else's by now."""
    values = {"lot_id": lot.lot_id, "turn": turn, "reason": reason, "who": who}
    return (await tx.execute(_RESTORE, values)).rowcount == 1


async def find(tx: Transaction, merchant_id: UUID, lot_id: UUID) -> LotQuarantine | None:
    rows = await tx.execute(_FIND, {"merchant_id": merchant_id, "lot_id": lot_id})
    row = rows.one_or_none()
    return _quarantine(row) if row else None


async def list_of(
    tx: Transaction, merchant_id: UUID, *, state: str | None, after: UUID | None, limit: int
) -> list[LotQuarantine]:
    values = {"merchant_id": merchant_id, "state": state, "after": after, "limit": limit}
    return [_quarantine(row) for row in await tx.execute(_LIST, values)]


def _quarantine(row: Row[Any]) -> LotQuarantine:
    values = {name: getattr(row, name) for name in _FIELDS}
    return LotQuarantine(**{**values, "state": QuarantineState(row.state)})


_ADD = text(
    f"""
    INSERT INTO lot_quarantine AS q (lot_id, merchant_id, sku, order_id, claims, buyers, sold,
      bound, norm)
    SELECT * FROM unnest(CAST(:lots AS uuid[]), CAST(:merchants AS uuid[]), CAST(:skus AS text[]),
      CAST(:orders AS uuid[]), CAST(:claims AS int[]), CAST(:buyers AS int[]),
      CAST(:sold AS int[]), CAST(:bounds AS int[]), CAST(:norms AS int[]))
    ON CONFLICT (lot_id) DO UPDATE SET
      state = 'due', round = q.round + 1, due_at = clock_timestamp(),
      sku = excluded.sku, order_id = excluded.order_id, claims = excluded.claims,
      buyers = excluded.buyers, sold = excluded.sold, bound = excluded.bound, norm = excluded.norm,
      created_at = clock_timestamp(), quarantined_at = NULL
      WHERE q.state = 'restored'
    RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
# MATERIALIZED: the planner must not run the locking part twice and take more than one.
_TAKE = text(
    f"""
    WITH due AS MATERIALIZED (
      SELECT lot_id FROM lot_quarantine WHERE state = 'due' AND due_at <= clock_timestamp()
      ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE lot_quarantine q SET due_at = clock_timestamp() + CAST(:lease AS interval)
    FROM due WHERE q.lot_id = due.lot_id RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_SETTLE = text(
    """
    UPDATE lot_quarantine SET state = CAST(:state AS text),
      quarantined_at = CASE WHEN CAST(:state AS text) = 'quarantined' THEN clock_timestamp() END
    WHERE lot_id = :lot_id AND round = :round AND state = 'due'
    """
)
_RESTORE = text(
    """
    UPDATE lot_quarantine SET state = 'restored', restored_at = clock_timestamp(),
      restored_by = :who, restore_reason = :reason, restore_lease_id = NULL
    WHERE lot_id = :lot_id AND restore_lease_id = :turn AND state IN ('quarantined', 'missed')
    """
)
_TAKE_RESTORE = text(
    """
    UPDATE lot_quarantine SET restore_lease_id = :turn,
      due_at = clock_timestamp() + CAST(:lease AS interval)
    WHERE lot_id = :lot_id AND round = :round AND state IN ('quarantined', 'missed')
      AND (restore_lease_id IS NULL OR due_at <= clock_timestamp())
    """
)
_GIVE_UP_RESTORE = text(
    """
    UPDATE lot_quarantine SET restore_lease_id = NULL
    WHERE lot_id = :lot_id AND restore_lease_id = :turn
    """
)
_FIND = text(
    f"""
    SELECT {_COLUMNS} FROM lot_quarantine q
    WHERE q.merchant_id = :merchant_id AND q.lot_id = :lot_id
    """  # noqa: S608 - column names of this file
)
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM lot_quarantine q
    WHERE q.merchant_id = :merchant_id AND (CAST(:state AS text) IS NULL OR q.state = :state)
      AND (CAST(:after AS uuid) IS NULL OR q.lot_id > :after)
    ORDER BY q.lot_id LIMIT :limit
    """  # noqa: S608 - column names of this file
)
