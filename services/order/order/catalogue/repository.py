from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Transaction, constraint_of
from kit.money import Money
from order.catalogue.domain import (
    Fulfillment,
    Product,
    SkuTaken,
    fulfillment_of,
    terms_of,
)

_INSERT = text(
    "INSERT INTO product "
    "(id, merchant_id, sku, name, kind, fulfillment, price_minor, currency, instructions) "
    "VALUES (:id, :merchant_id, :sku, :name, :kind, CAST(:fulfillment AS jsonb), :price_minor, "
    ":currency, :instructions) RETURNING *"
)
_UPDATE = text(
    "UPDATE product SET name = coalesce(CAST(:name AS text), name), "
    "price_minor = coalesce(CAST(:price_minor AS bigint), price_minor), "
    "currency = coalesce(CAST(:currency AS text), currency), "
    "instructions = coalesce(CAST(:instructions AS text), instructions), "
    "is_active = coalesce(CAST(:is_active AS boolean), is_active), "
    "updated_at = clock_timestamp() "
    "WHERE id = :id AND merchant_id = :merchant_id RETURNING *"
)
_FIND = text("SELECT * FROM product WHERE id = :id AND merchant_id = :merchant_id")
_LIST = text(
    "SELECT * FROM product WHERE merchant_id = :merchant_id "
    "AND (CAST(:sku AS text) IS NULL OR sku = CAST(:sku AS text)) "
    "AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid)) ORDER BY id LIMIT :limit"
)
_FIND_BY_SKU = text(
    "SELECT p.* FROM product p JOIN unnest(CAST(:merchant_ids AS uuid[]), CAST(:skus AS text[])) "
    "AS w(merchant_id, sku) ON p.merchant_id = w.merchant_id AND p.sku = w.sku"
)


async def add(
    tx: Transaction,
    *,
    product_id: UUID,
    merchant_id: UUID,
    sku: str,
    name: str,
    fulfillment: Fulfillment,
    price: Money,
    instructions: str,
) -> Product:
    """Raises SkuTaken."""
    terms = terms_of(fulfillment)
    values = {
        "id": product_id,
        "merchant_id": merchant_id,
        "sku": sku,
        "name": name,
        "kind": terms["kind"],
        "fulfillment": orjson.dumps(terms).decode(),
        "price_minor": price.amount_minor,
        "currency": price.currency,
        "instructions": instructions,
    }
    try:
        return _product((await tx.execute(_INSERT, values)).one())
    except IntegrityError as error:
        if constraint_of(error) == "uq_product_merchant_id_sku":
            raise SkuTaken(sku=sku) from error
        raise


async def update(
    tx: Transaction,
    merchant_id: UUID,
    product_id: UUID,
    *,
    name: str | None,
    price: Money | None,
    instructions: str | None,
    is_active: bool | None,
) -> Product | None:
    """Sets what is given; None when there is no such product."""
    values = {
        "id": product_id,
        "merchant_id": merchant_id,
        "name": name,
        "price_minor": price.amount_minor if price else None,
        "currency": price.currency if price else None,
        "instructions": instructions,
        "is_active": is_active,
    }
    row = (await tx.execute(_UPDATE, values)).one_or_none()
    return _product(row) if row else None


async def find(tx: Transaction, merchant_id: UUID, product_id: UUID) -> Product | None:
    values = {"id": product_id, "merchant_id": merchant_id}
    row = (await tx.execute(_FIND, values)).one_or_none()
    return _product(row) if row else None


async def list_products(
    tx: Transaction, merchant_id: UUID, *, sku: str | None, after: UUID | None, limit: int
) -> Sequence[Product]:
    values = {"merchant_id": merchant_id, "sku": sku, "after": after, "limit": limit}
    return [_product(row) for row in await tx.execute(_LIST, values)]


async def find_by_sku(
    tx: Transaction, wanted: Iterable[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Product]:
    """Those of the (merchant, SKU) pairs that exist, in one statement."""
    pairs = list(set(wanted))
    values = {"merchant_ids": [pair[0] for pair in pairs], "skus": [pair[1] for pair in pairs]}
    rows = await tx.execute(_FIND_BY_SKU, values)
    return {(row.merchant_id, row.sku): _product(row) for row in rows}


def _product(row: Any) -> Product:  # a row has no static type
    return Product(
        row.id,
        row.merchant_id,
        row.sku,
        row.name,
        fulfillment_of(row.kind, row.fulfillment),
        Money(row.price_minor, row.currency),
        row.instructions,
        row.is_active,
        row.created_at,
        row.updated_at,
    )
