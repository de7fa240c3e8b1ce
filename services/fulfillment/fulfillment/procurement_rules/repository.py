"""SQL of rules."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fulfillment.procurement_rules.domain import Rule, RuleTaken
from kit.db import Transaction, constraint_of

_LAST_ID = UUID(int=2**128 - 1)


class RuleRepository:
    async def add(self, tx: Transaction, rule: Rule) -> Rule:
        """Raises RuleTaken."""
        try:
            async with tx.savepoint():
                rows = await tx.execute(_ADD_RULE, _rule_values(rule))
        except IntegrityError as error:
            if constraint_of(error) == "uq_procurement_rule_merchant_id_pool_id":
                raise RuleTaken(pool_id=str(rule.pool_id)) from error
            raise
        return _rule(rows.one())

    async def change(self, tx: Transaction, rule: Rule) -> Rule:
        """It is looked at anew at once."""
        rows = await tx.execute(_CHANGE_RULE, _rule_values(rule))
        return _rule(rows.one())

    async def drop(self, tx: Transaction, merchant_id: UUID, rule_id: UUID) -> bool:
        rows = await tx.execute(_DROP_RULE, {"merchant_id": merchant_id, "id": rule_id})
        return rows.one_or_none() is not None

    async def find(
        self, tx: Transaction, merchant_id: UUID, rule_id: UUID, *, lock: bool = False
    ) -> Rule | None:
        values = {"merchant_id": merchant_id, "id": rule_id}
        row = (await tx.execute(_LOCK_RULE if lock else _GET_RULE, values)).one_or_none()
        return _rule(row) if row else None

    async def find_of_pool(self, tx: Transaction, merchant_id: UUID, pool_id: UUID) -> Rule | None:
        values = {"merchant_id": merchant_id, "pool_id": pool_id}
        row = (await tx.execute(_RULE_OF_POOL, values)).one_or_none()
        return _rule(row) if row else None

    async def list_rules(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[Rule]:
        values = {"merchant_id": merchant_id, "after": after or _LAST_ID, "limit": limit}
        return [_rule(row) for row in await tx.execute(_LIST_RULES, values)]

    async def hurry(self, tx: Transaction, pool_ids: Sequence[UUID]) -> None:
        """The rules of these pools are looked at now."""
        await tx.execute(_HURRY, {"pool_id": list(pool_ids)})

    async def take(
        self, tx: Transaction, lease_id: UUID, lease: timedelta, limit: int
    ) -> list[Rule]:
        """Active rules that are due and have nothing open."""
        values = {"lease_id": lease_id, "lease": lease, "limit": limit}
        return [_rule(row) for row in await tx.execute(_TAKE_RULES, values)]

    async def note_look(self, tx: Transaction, rule: Rule, reason: str, pause: timedelta) -> None:
        values = {"id": rule.id, "lease_id": rule.lease_id, "reason": reason, "pause": pause}
        await tx.execute(_NOTE_LOOK, values)


def _rule_values(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in _RULE}


def _rule(row: Any) -> Rule:  # a row has no static type
    return Rule(**{name: getattr(row, name) for name in (*_RULE, *_RULE_SEEN)})


_RULE = (
    "id",
    "merchant_id",
    "pool_id",
    "currency",
    "reorder_cover_days",
    "reorder_point",
    "target_cover_days",
    "quantity_min",
    "quantity_max",
    "budget_per_day_minor",
    "approval_above_minor",
    "is_active",
)
_RULE_SEEN = ("checked_at", "last_reason", "lease_id", "created_at")
_RULE_COLUMNS = ", ".join((*_RULE, *_RULE_SEEN))
_RULE_CHANGED = ", ".join(f"{name} = :{name}" for name in _RULE[4:])
_ADD_RULE = text(
    f"""
    INSERT INTO procurement_rule ({", ".join(_RULE)})
    VALUES ({", ".join(f":{name}" for name in _RULE)}) RETURNING {_RULE_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_CHANGE_RULE = text(
    f"""
    UPDATE procurement_rule SET {_RULE_CHANGED}, due_at = clock_timestamp(), lease_id = NULL
    WHERE id = :id RETURNING {_RULE_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_DROP_RULE = text(
    "DELETE FROM procurement_rule WHERE merchant_id = :merchant_id AND id = :id RETURNING id"
)
_READ_RULE = f"SELECT {_RULE_COLUMNS} FROM procurement_rule"  # noqa: S608 - columns of this file
_GET_RULE = text(_READ_RULE + " WHERE merchant_id = :merchant_id AND id = :id")
_LOCK_RULE = text(_READ_RULE + " WHERE merchant_id = :merchant_id AND id = :id FOR UPDATE")
_RULE_OF_POOL = text(_READ_RULE + " WHERE merchant_id = :merchant_id AND pool_id = :pool_id")
_LIST_RULES = text(
    _READ_RULE + " WHERE merchant_id = :merchant_id AND id < :after ORDER BY id DESC LIMIT :limit"
)
_HURRY = text(
    """
    UPDATE procurement_rule SET due_at = clock_timestamp()
    WHERE pool_id = ANY(CAST(:pool_id AS uuid[])) AND is_active
    """
)
_TAKE_RULES = text(
    f"""
    WITH pick AS MATERIALIZED (
        SELECT id AS rule_id FROM procurement_rule r
        WHERE r.is_active AND r.due_at <= clock_timestamp() AND NOT EXISTS (
            SELECT 1 FROM procurement p WHERE p.rule_id = r.id AND p.ended_at IS NULL)
        ORDER BY r.due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE procurement_rule SET lease_id = :lease_id,
           due_at = clock_timestamp() + CAST(:lease AS interval)
    FROM pick WHERE id = pick.rule_id RETURNING {_RULE_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_NOTE_LOOK = text(
    """
    UPDATE procurement_rule SET lease_id = NULL, checked_at = clock_timestamp(),
           last_reason = :reason, due_at = clock_timestamp() + CAST(:pause AS interval)
    WHERE id = :id AND lease_id = :lease_id
    """
)
