"""Products in SQL. Everything takes many products and a constant number of statements."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Transaction, constraint_of
from kit.money import Money
from order.catalogue.domain import (
    Listing,
    Product,
    Redemption,
    SaleRules,
    SkuTaken,
    Translation,
    VariantTaken,
    fulfillment_of,
    terms_of,
)
from order.forms.domain import form_of, form_terms
from order.limits.domain import Limit, Per
from order.price_rules.domain import Tier

_COLUMNS = """sku, name, kind, fulfillment, price_minor, currency, instructions, is_active, form,
  sale_from, sale_until, region, channels, quantity_min, quantity_max, limits, template,
  redemption, translations, image_url, family, options, tiers, allow_rising, cost_minor,
  cost_currency"""
_RECORDS = """jsonb_to_recordset(CAST(:products AS jsonb)) AS p(id uuid, merchant_id uuid,
  sku text, name text, kind text, fulfillment jsonb, price_minor bigint, currency text,
  instructions text, is_active boolean, form jsonb, sale_from timestamptz, sale_until timestamptz,
  region jsonb, channels jsonb, quantity_min int, quantity_max int, limits jsonb, template text,
  redemption jsonb, translations jsonb, image_url text, family text, options jsonb,
  tiers jsonb, allow_rising boolean, cost_minor bigint, cost_currency text)"""
# Only our own constants are put together here.
_INSERT = text(
    f"INSERT INTO product (id, merchant_id, {_COLUMNS}) SELECT * FROM {_RECORDS} RETURNING *"  # noqa: S608
)
_UPDATE = text(
    f"UPDATE product SET ({_COLUMNS}, version, updated_at) = "  # noqa: S608
    f"ROW({', '.join(f'p.{name.strip()}' for name in _COLUMNS.split(','))}, "
    f"product.version + 1, clock_timestamp()) FROM {_RECORDS} "
    "WHERE product.id = p.id AND product.merchant_id = p.merchant_id RETURNING product.*"
)
_FIND = text("SELECT * FROM product WHERE id = :id AND merchant_id = :merchant_id")
_LOCK = text("SELECT * FROM product WHERE id = :id AND merchant_id = :merchant_id FOR UPDATE")
_LOCK_BY_SKU = text(
    "SELECT * FROM product WHERE merchant_id = :merchant_id "
    "AND sku = ANY(CAST(:skus AS text[])) ORDER BY id FOR UPDATE"
)
_LIST = text(
    "SELECT * FROM product WHERE merchant_id = :merchant_id "
    "AND (CAST(:sku AS text) IS NULL OR sku = CAST(:sku AS text)) "
    "AND (CAST(:family AS text) IS NULL OR family = CAST(:family AS text)) "
    "AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid)) ORDER BY id LIMIT :limit"
)
_FIND_BY_SKU = text(
    "SELECT p.* FROM product p JOIN unnest(CAST(:merchant_ids AS uuid[]), CAST(:skus AS text[])) "
    "AS w(merchant_id, sku) ON p.merchant_id = w.merchant_id AND p.sku = w.sku"
)


async def add_many(
    tx: Transaction, merchant_id: UUID, products: Sequence[tuple[UUID, Listing]]
) -> list[Product]:
    """New products under these ids. Raises SkuTaken, VariantTaken."""
    return await _write(tx, _INSERT, merchant_id, products)


async def update_many(tx: Transaction, merchant_id: UUID, products: Sequence[Product]) -> None:
    """Writes locked products as they are now. Raises SkuTaken, VariantTaken."""
    await _write(tx, _UPDATE, merchant_id, [(product.id, product) for product in products])


async def update(tx: Transaction, product: Product) -> Product:
    """Writes a locked product as it is now. Raises VariantTaken."""
    return (await _write(tx, _UPDATE, product.merchant_id, [(product.id, product)]))[0]


async def _write(
    tx: Transaction, statement: Any, merchant_id: UUID, products: Sequence[tuple[UUID, Listing]]
) -> list[Product]:
    rows = [
        {"id": product_id, "merchant_id": merchant_id, **_values(listing)}
        for product_id, listing in products
    ]
    try:
        written = await tx.execute(
            statement, {"products": orjson.dumps(rows, default=str).decode()}
        )
    except IntegrityError as error:
        match constraint_of(error):
            case "uq_product_merchant_id_sku":
                raise SkuTaken(sku=products[0][1].sku) from error
            case "uq_product_variant":
                raise VariantTaken(sku=products[0][1].sku) from error
        raise
    return [_product(row) for row in written]


async def find(tx: Transaction, merchant_id: UUID, product_id: UUID) -> Product | None:
    values = {"id": product_id, "merchant_id": merchant_id}
    row = (await tx.execute(_FIND, values)).one_or_none()
    return _product(row) if row else None


async def lock(tx: Transaction, merchant_id: UUID, product_id: UUID) -> Product | None:
    values = {"id": product_id, "merchant_id": merchant_id}
    row = (await tx.execute(_LOCK, values)).one_or_none()
    return _product(row) if row else None


async def lock_by_sku(
    tx: Transaction, merchant_id: UUID, skus: Iterable[str]
) -> dict[str, Product]:
    """Those that exist, locked in the order of their ids."""
    rows = await tx.execute(_LOCK_BY_SKU, {"merchant_id": merchant_id, "skus": list(skus)})
    return {row.sku: _product(row) for row in rows}


async def list_products(
    tx: Transaction,
    merchant_id: UUID,
    *,
    sku: str | None,
    family: str | None,
    after: UUID | None,
    limit: int,
) -> Sequence[Product]:
    values = {
        "merchant_id": merchant_id,
        "sku": sku,
        "family": family,
        "after": after,
        "limit": limit,
    }
    return [_product(row) for row in await tx.execute(_LIST, values)]


async def find_by_sku(
    tx: Transaction, wanted: Iterable[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Product]:
    """Those of the (merchant, SKU) pairs that exist, in one statement."""
    pairs = list(set(wanted))
    values = {"merchant_ids": [pair[0] for pair in pairs], "skus": [pair[1] for pair in pairs]}
    rows = await tx.execute(_FIND_BY_SKU, values)
    return {(row.merchant_id, row.sku): _product(row) for row in rows}


def _values(listing: Listing) -> dict[str, object]:
    rules, redemption = listing.rules, listing.redemption
    return {
        "sku": listing.sku,
        "name": listing.name,
        "kind": listing.kind,
        "fulfillment": terms_of(listing.fulfillment),
        "price_minor": listing.price.amount_minor,
        "currency": listing.price.currency,
        "instructions": listing.instructions,
        "is_active": listing.is_active,
        "form": form_terms(listing.form),
        "sale_from": rules.sale_from,
        "sale_until": rules.sale_until,
        "region": rules.region,
        "channels": sorted(str(channel_id) for channel_id in rules.channels),
        "quantity_min": rules.quantity_min,
        "quantity_max": rules.quantity_max,
        "limits": [
            {"per": limit.per, "quantity": limit.quantity, "window_hours": limit.window_hours}
            for limit in listing.limits
        ],
        "template": listing.template,
        "redemption": (
            {"text": redemption.text, "url": redemption.url, "valid_days": redemption.valid_days}
            if redemption != Redemption()
            else {}
        ),
        "translations": {
            tag: {"instructions": it.instructions, "redemption": it.redemption}
            for tag, it in listing.translations.items()
        },
        "image_url": listing.image_url,
        "family": listing.family,
        "options": dict(listing.options),
        "tiers": [[it.min_quantity, it.price, it.basis_points_off] for it in listing.tiers],
        "allow_rising": listing.allow_rising,
        "cost_minor": listing.cost.amount_minor if listing.cost else None,
        "cost_currency": listing.cost.currency if listing.cost else None,
    }


def _product(row: Any) -> Product:  # a row has no static type
    return Product(
        id=row.id,
        merchant_id=row.merchant_id,
        sku=row.sku,
        name=row.name,
        fulfillment=fulfillment_of(row.kind, row.fulfillment),
        price=Money(row.price_minor, row.currency),
        instructions=row.instructions,
        is_active=row.is_active,
        form=form_of(row.form),
        rules=_rules(row),
        limits=tuple(
            Limit(Per(limit["per"]), limit["quantity"], limit["window_hours"])
            for limit in row.limits
        ),
        template=row.template,
        redemption=Redemption(**row.redemption),
        translations=_translations(row.translations),
        image_url=row.image_url,
        family=row.family,
        options=row.options,
        tiers=tuple(Tier(*tier) for tier in row.tiers),
        allow_rising=row.allow_rising,
        tiers_currency=row.currency if any(tier[1] is not None for tier in row.tiers) else None,
        cost=Money(row.cost_minor, row.cost_currency) if row.cost_currency else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
    )


def _rules(row: Any) -> SaleRules:  # a row has no static type
    return SaleRules(
        sale_from=row.sale_from,
        sale_until=row.sale_until,
        countries_allowed=frozenset(row.region.get("allowed", ())),
        countries_refused=frozenset(row.region.get("refused", ())),
        channels=frozenset(UUID(channel_id) for channel_id in row.channels),
        quantity_min=row.quantity_min,
        quantity_max=row.quantity_max,
    )


def _translations(terms: Mapping[str, Mapping[str, str]]) -> dict[str, Translation]:
    return {tag: Translation(**translation) for tag, translation in terms.items()}
