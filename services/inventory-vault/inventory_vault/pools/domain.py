"""A pool: interchangeable units that are sold as one kind of good."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import NotFound


class UnitKind(StrEnum):
    CARD = "card"
    CODE = "code"
    LINK = "link"
    IMAGE = "image"
    VOUCHER = "voucher"
    REUSABLE = "reusable"


@dataclass(frozen=True, slots=True)
class Pool:
    id: UUID
    merchant_id: UUID
    name: str
    unit_kind: UnitKind
    # Below so many available units StockLow is published; None: never.
    low_stock_threshold: int | None
    created_at: datetime


class PoolNotFound(NotFound):
    """There is no such pool, or it is not yours."""

    code = "pool_not_found"
