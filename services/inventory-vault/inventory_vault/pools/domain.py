"""A pool: interchangeable units that are sold as one kind of good."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from kit.errors import NotFound


class UnitKind(StrEnum):
    CARD = "card"
    CODE = "code"
    LINK = "link"
    IMAGE = "image"
    VOUCHER = "voucher"
    REUSABLE = "reusable"


DIMENSIONS = ("buyer", "ip", "device", "channel")


@dataclass(frozen=True, slots=True)
class HoldBudget:
    """What one unpaid holder may have: a share of the stock, and so many units in any case."""

    share_percent: int
    units_min: int


@dataclass(frozen=True, slots=True)
class Pool:
    id: UUID
    merchant_id: UUID
    name: str
    unit_kind: UnitKind
    # Below so many available units StockLow is published; None: never.
    low_stock_threshold: int | None
    # Below so many days of sales StockLow is published; None: never.
    low_cover_days: int | None
    # By dimension of the holder; empty: no limit.
    hold_budget: Mapping[str, HoldBudget]
    created_at: datetime
    # Units sold within channels' guarantees only; None: no quota.
    quota_buffer: int | None = None


def stored_pool(pool_id: UUID, row: Any) -> Pool:
    """A pool as any statement reads its columns. A row has no static type."""
    return Pool(
        id=pool_id,
        merchant_id=row.merchant_id,
        name=row.name,
        unit_kind=UnitKind(row.unit_kind),
        low_stock_threshold=row.low_stock_threshold,
        low_cover_days=row.low_cover_days,
        hold_budget=_budget(row.hold_budget),
        created_at=row.created_at,
        quota_buffer=row.quota_buffer,
    )


def _budget(stored: Any) -> dict[str, HoldBudget]:  # JSON as a document or as its text
    if not stored:
        return {}
    document = orjson.loads(stored) if isinstance(stored, str | bytes) else stored
    return {name: HoldBudget(**budget) for name, budget in document.items()}


class PoolNotFound(NotFound):
    """There is no such pool, or it is not yours."""

    code = "pool_not_found"
