"""What a merchant sells: a product has a SKU, a price and a way of being fulfilled."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from kit.money import Money


class Kind(StrEnum):
    """How a product is fulfilled. Only units from a pool can be sold yet."""

    POOL = "pool"
    TOP_UP = "top_up"
    BUNDLE = "bundle"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class PoolFulfillment:
    """Units of one pool of the vault."""

    pool_id: UUID


Fulfillment = PoolFulfillment
"""A union that grows by one class per kind."""


@dataclass(frozen=True, slots=True)
class Product:
    id: UUID
    merchant_id: UUID
    sku: str
    name: str
    fulfillment: Fulfillment
    price: Money
    instructions: str
    is_active: bool
    created_at: datetime
    updated_at: datetime


class ProductNotFound(NotFound):
    """There is no such product, or it is not yours."""

    code = "product_not_found"


class SkuTaken(Conflict):
    """Another product of this merchant has this SKU."""

    code = "sku_taken"


class UnsupportedKind(Invalid):
    """Products of this kind cannot be sold yet; use kind `pool`."""

    code = "unsupported_kind"
