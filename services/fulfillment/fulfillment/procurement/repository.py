"""SQL of procurements and budgets."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fulfillment.procurement.domain import (
    Procurement,
    ProcurementState,
    RuleBusy,
)
from kit.db import Transaction, constraint_of
from kit.money import Money

_LAST_ID = UUID(int=2**128 - 1)


class ProcurementRepository:
    async def add(self, tx: Transaction, procurement: Procurement) -> Procurement:
        """Raises RuleBusy."""
        try:
            async with tx.savepoint():
                rows = await tx.execute(_ADD, _values(procurement))
        except IntegrityError as error:
            if constraint_of(error) == "uq_procurement_rule_id_open":
                raise RuleBusy from error
            raise
        return _procurement(rows.one())

    async def find(
        self, tx: Transaction, merchant_id: UUID, procurement_id: UUID
    ) -> Procurement | None:
        values = {"merchant_id": merchant_id, "id": procurement_id}
        row = (await tx.execute(_GET, values)).one_or_none()
        return _procurement(row) if row else None

    async def list_procurements(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        pool_id: UUID | None,
        state: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[Procurement]:
        """The newest first."""
        values = {
            "merchant_id": merchant_id,
            "pool_id": pool_id,
            "state": state,
            "after": after or _LAST_ID,
            "limit": limit,
        }
        return [_procurement(row) for row in await tx.execute(_LIST, values)]

    async def decide(
        self,
        tx: Transaction,
        merchant_id: UUID,
        procurement_id: UUID,
        *,
        who: str,
        state: ProcurementState,
        reason: str,
    ) -> Procurement | None:
        """None when it does not wait for a decision."""
        values = {
            "merchant_id": merchant_id,
            "id": procurement_id,
            "who": who,
            "state": state.value,
            "reason": reason,
        }
        row = (await tx.execute(_DECIDE, values)).one_or_none()
        return _procurement(row) if row else None

    async def take(
        self, tx: Transaction, lease_id: UUID, lease: timedelta, limit: int
    ) -> list[Procurement]:
        """Due ones that are to be bought, this caller's alone until the lease ends."""
        values = {"lease_id": lease_id, "lease": lease, "limit": limit}
        return [_procurement(row) for row in await tx.execute(_TAKE, values)]

    async def save(self, tx: Transaction, procurement: Procurement, pause: timedelta) -> bool:
        """What a turn made of it; False when the lease went to somebody else meanwhile."""
        ended = procurement.ended_at is not None
        values = {**_values(procurement), "lease_id": procurement.lease_id, "pause": pause}
        rows = await tx.execute(_SAVE, {**values, "is_ended": ended})
        return rows.one_or_none() is not None

    async def reserve(
        self, tx: Transaction, procurement: Procurement, limit_minor: int
    ) -> date | None:
        """Takes its budget out of the pool's of today: the day; None when that is not enough."""
        values = {**_budget(procurement), "limit_minor": limit_minor}
        row = (await tx.execute(_RESERVE, values)).one_or_none()
        return row.day if row else None

    async def left_of(
        self, tx: Transaction, merchant_id: UUID, pool_id: UUID, currency: str, limit_minor: int
    ) -> int:
        """What of the pool's budget of today is not reserved. For a reason, not for a decision."""
        values = {
            "merchant_id": merchant_id,
            "pool_id": pool_id,
            "currency": currency,
            "limit_minor": limit_minor,
        }
        return int((await tx.execute(_LEFT, values)).scalar_one())

    async def give_back(self, tx: Transaction, procurement: Procurement) -> None:
        """What it did not spend goes back to its day's budget; what it spent too much comes out
        of it.
        """
        unspent = procurement.budget.amount_minor - procurement.spent_minor
        values = {**_budget(procurement), "day": procurement.budget_day, "unspent": unspent}
        await tx.execute(_GIVE_BACK, values)


def _budget(procurement: Procurement) -> dict[str, Any]:
    return {
        "merchant_id": procurement.merchant_id,
        "pool_id": procurement.pool_id,
        "currency": procurement.budget.currency,
        "amount_minor": procurement.budget.amount_minor,
    }


def _values(procurement: Procurement) -> dict[str, Any]:
    return {
        **{name: getattr(procurement, name) for name in _PLAIN},
        "currency": procurement.budget.currency,
        "budget_minor": procurement.budget.amount_minor,
        "state": procurement.state.value,
        "explanation": orjson.dumps(dict(procurement.explanation)).decode(),
    }


def _procurement(row: Any) -> Procurement:  # a row has no static type
    explanation: Mapping[str, Any] = orjson.loads(row.explanation)
    return Procurement(
        **{name: getattr(row, name) for name in (*_PLAIN, *_SEEN)},
        budget=Money(row.budget_minor, row.currency),
        state=ProcurementState(row.state),
        explanation=explanation,
    )


_PLAIN = (
    "id",
    "merchant_id",
    "pool_id",
    "rule_id",
    "supplier_product_id",
    "quantity",
    "budget_day",
    "spent_minor",
    "bought",
    "arrived",
    "reason",
    "generation",
    "requested_by",
)
_SEEN = ("decided_by", "decided_at", "lease_id", "created_at", "ended_at")
_COLUMNS = (
    ", ".join((*_PLAIN, *_SEEN))
    + ", currency, budget_minor, state, CAST(explanation AS text) AS explanation"
)
_ADD = text(
    f"""
    INSERT INTO procurement ({", ".join(_PLAIN)}, currency, budget_minor, state, explanation)
    VALUES ({", ".join(f":{name}" for name in _PLAIN)}, :currency, :budget_minor, :state,
            CAST(:explanation AS jsonb))
    RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_READ = f"SELECT {_COLUMNS} FROM procurement"  # noqa: S608 - column names of this file
_GET = text(_READ + " WHERE merchant_id = :merchant_id AND id = :id")
_LIST = text(
    _READ
    + """
    WHERE merchant_id = :merchant_id AND id < :after
      AND (CAST(:pool_id AS uuid) IS NULL OR pool_id = CAST(:pool_id AS uuid))
      AND (CAST(:state AS text) IS NULL OR state = CAST(:state AS text))
    ORDER BY id DESC LIMIT :limit
    """
)
_DECIDE = text(
    f"""
    UPDATE procurement SET state = :state, reason = :reason, decided_by = :who,
           decided_at = clock_timestamp(), due_at = clock_timestamp(),
           ended_at = CASE WHEN CAST(:state AS text) = 'declined' THEN clock_timestamp() END
    WHERE merchant_id = :merchant_id AND id = :id AND state = 'awaiting_approval'
    RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_TAKE = text(
    f"""
    WITH pick AS MATERIALIZED (
        SELECT id AS picked FROM procurement
        WHERE ended_at IS NULL AND state <> 'awaiting_approval' AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE procurement SET lease_id = :lease_id,
           due_at = clock_timestamp() + CAST(:lease AS interval)
    FROM pick WHERE id = pick.picked RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_SAVE = text(
    """
    UPDATE procurement SET state = :state, reason = :reason, generation = :generation,
           spent_minor = :spent_minor, bought = :bought, arrived = :arrived,
           explanation = CAST(:explanation AS jsonb), lease_id = NULL,
           due_at = clock_timestamp() + CAST(:pause AS interval),
           ended_at = CASE WHEN :is_ended THEN clock_timestamp() END
    WHERE id = :id AND lease_id = :lease_id AND ended_at IS NULL RETURNING id
    """
)
# The row is there after the first statement of a day; whoever comes second waits for its lock and
# sees what is left then.
_RESERVE = text(
    """
    INSERT INTO pool_budget AS b (pool_id, day, merchant_id, currency, reserved_minor)
    SELECT :pool_id, CAST(timezone('UTC', clock_timestamp()) AS date), :merchant_id, :currency,
           CAST(:amount_minor AS bigint)
    WHERE CAST(:amount_minor AS bigint) <= CAST(:limit_minor AS bigint)
    ON CONFLICT (pool_id, day, merchant_id, currency)
    DO UPDATE SET reserved_minor = b.reserved_minor + excluded.reserved_minor
    WHERE b.reserved_minor + excluded.reserved_minor <= CAST(:limit_minor AS bigint)
    RETURNING day
    """
)
_LEFT = text(
    """
    SELECT greatest(CAST(:limit_minor AS bigint) - coalesce(sum(reserved_minor), 0), 0)
    FROM pool_budget
    WHERE merchant_id = :merchant_id AND pool_id = :pool_id AND currency = :currency
      AND day = CAST(timezone('UTC', clock_timestamp()) AS date)
    """
)
_GIVE_BACK = text(
    """
    UPDATE pool_budget SET reserved_minor = reserved_minor - CAST(:unspent AS bigint)
    WHERE merchant_id = :merchant_id AND pool_id = :pool_id AND currency = :currency
      AND day = :day
    """
)
