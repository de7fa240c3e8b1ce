"""When a pool is bought for, and how much: by how long its stock will last."""

import math
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound

QUANTITY_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Rule:
    """When a pool is bought for, and how much. One per pool."""

    id: UUID
    merchant_id: UUID
    pool_id: UUID
    currency: str
    target_cover_days: float
    quantity_min: int
    quantity_max: int
    reorder_cover_days: float | None = None
    reorder_point: int | None = None
    budget_per_day_minor: int | None = None
    approval_above_minor: int | None = None
    is_active: bool = True
    checked_at: datetime | None = None
    last_reason: str = ""
    lease_id: UUID | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stand:
    """A pool as the vault sees it."""

    available: int
    sold_per_day: float | None
    cover_days: float | None


def is_low(rule: Rule, stand: Stand) -> bool:
    """Whether it is time to buy."""
    if rule.reorder_point is not None and stand.available <= rule.reorder_point:
        return True
    return (
        rule.reorder_cover_days is not None
        and stand.cover_days is not None
        and stand.cover_days < rule.reorder_cover_days
    )


def wanted_by(rule: Rule, stand: Stand) -> int:
    """So many that the stock lasts for the target; where the pace is not known, the least."""
    if stand.sold_per_day is None:
        return rule.quantity_min
    target = math.ceil(rule.target_cover_days * stand.sold_per_day)
    return min(max(target - stand.available, rule.quantity_min), rule.quantity_max)


def check(rule: Rule) -> None:
    """Raises RuleUnsound."""
    has_trigger = rule.reorder_cover_days is not None or rule.reorder_point is not None
    if not has_trigger or rule.quantity_max < rule.quantity_min:
        raise RuleUnsound


class RuleNotFound(NotFound):
    """There is no such rule, or it is not yours."""

    code = "procurement_rule_not_found"


class RuleTaken(Conflict):
    """This pool has a rule already; change that one."""

    code = "procurement_rule_taken"


class RuleUnsound(Invalid):
    """Give `reorder_cover_days` or `reorder_point`, and a `quantity_max` not below
    `quantity_min`."""

    code = "procurement_rule_unsound"
