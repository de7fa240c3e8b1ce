"""SQL of claw-backs."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from fulfillment.claw_backs.domain import ClawBack, ClawBackState, SupplierDebt
from fulfillment.rows import columns_of
from kit.db import Transaction
from kit.money import Money

_PLAIN = (
    "claim_id",
    "merchant_id",
    "channel_id",
    "order_id",
    "lot_id",
    "unit_id",
    "supplier",
    "sku",
)


async def add(tx: Transaction, noted: Sequence[ClawBack]) -> None:
    amounts = [it.amount for it in noted]
    await tx.execute(
        _ADD,
        {
            **columns_of(noted, _PLAIN, ""),
            "amount_minor": [amount.amount_minor for amount in amounts],
            "currency": [amount.currency for amount in amounts],
        },
    )


async def decide(
    tx: Transaction, merchant_id: UUID, claim_id: UUID, state: ClawBackState, reason: str, who: str
) -> bool:
    """noted -> `state`; False when it is decided, or not there."""
    values = {
        "merchant_id": merchant_id,
        "claim_id": claim_id,
        "state": state.value,
        "reason": reason,
        "who": who,
    }
    return (await tx.execute(_DECIDE, values)).rowcount == 1


async def find(tx: Transaction, merchant_id: UUID, claim_id: UUID) -> ClawBack | None:
    rows = await tx.execute(_FIND, {"merchant_id": merchant_id, "claim_id": claim_id})
    row = rows.one_or_none()
    return _claw_back(row) if row else None


async def list_of(
    tx: Transaction,
    merchant_id: UUID,
    *,
    supplier: str | None,
    lot_id: UUID | None,
    state: str | None,
    after: UUID | None,
    limit: int,
) -> list[ClawBack]:
    values = {
        "merchant_id": merchant_id,
        "supplier": supplier,
        "lot_id": lot_id,
        "state": state,
        "after": after,
        "limit": limit,
    }
    return [_claw_back(row) for row in await tx.execute(_LIST, values)]


async def list_debts(
    tx: Transaction, merchant_id: UUID, *, after: tuple[str, UUID, str, str] | None, limit: int
) -> list[SupplierDebt]:
    values = {
        "merchant_id": merchant_id,
        "supplier": after[0] if after else None,
        "lot_id": after[1] if after else None,
        "state": after[2] if after else None,
        "currency": after[3] if after else None,
        "limit": limit,
    }
    return [
        SupplierDebt(
            row.supplier,
            row.lot_id,
            ClawBackState(row.state),
            Money(int(row.amount_minor), row.currency),
            row.units,
        )
        for row in await tx.execute(_DEBTS, values)
    ]


def _claw_back(row: Row[Any]) -> ClawBack:
    return ClawBack(
        **{name: getattr(row, name) for name in _PLAIN},
        amount=Money(row.amount_minor, row.currency),
        state=ClawBackState(row.state),
        reason=row.reason,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        noted_at=row.noted_at,
    )


_ADD = text(
    """
    INSERT INTO claw_back (claim_id, merchant_id, channel_id, order_id, lot_id, unit_id, supplier,
      sku, amount_minor, currency)
    SELECT * FROM unnest(CAST(:claim_id AS uuid[]), CAST(:merchant_id AS uuid[]),
      CAST(:channel_id AS uuid[]), CAST(:order_id AS uuid[]), CAST(:lot_id AS uuid[]),
      CAST(:unit_id AS uuid[]), CAST(:supplier AS text[]), CAST(:sku AS text[]),
      CAST(:amount_minor AS bigint[]), CAST(:currency AS text[]))
    """
)
_DECIDE = text(
    """
    UPDATE claw_back SET state = :state, reason = :reason, decided_by = :who,
      decided_at = clock_timestamp()
    WHERE merchant_id = :merchant_id AND claim_id = :claim_id AND state = 'noted'
    """
)
_FIND = text("SELECT * FROM claw_back WHERE merchant_id = :merchant_id AND claim_id = :claim_id")
_LIST = text(
    """
    SELECT * FROM claw_back
    WHERE merchant_id = :merchant_id
      AND (CAST(:supplier AS text) IS NULL OR supplier = :supplier)
      AND (CAST(:lot_id AS uuid) IS NULL OR lot_id = :lot_id)
      AND (CAST(:state AS text) IS NULL OR state = :state)
      AND (CAST(:after AS uuid) IS NULL OR claim_id < :after)
    ORDER BY claim_id DESC LIMIT :limit
    """
)
_DEBTS = text(
    """
    SELECT supplier, lot_id, state, currency, sum(amount_minor) AS amount_minor,
      count(*)::int AS units
    FROM claw_back
    WHERE merchant_id = :merchant_id AND (CAST(:lot_id AS uuid) IS NULL
      OR (supplier, lot_id, state, currency) >
         (CAST(:supplier AS text), CAST(:lot_id AS uuid), CAST(:state AS text),
          CAST(:currency AS text)))
    GROUP BY supplier, lot_id, state, currency
    ORDER BY supplier, lot_id, state, currency LIMIT :limit
    """
)
