"""SQL of offers and of what suppliers' accounts were seen to have."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fulfillment.routing.domain import OfferKey
from fulfillment.supplier_products.domain import (
    NOT_LISTED,
    OfferOfUnknownSupplier,
    SupplierProduct,
    SupplierProductTaken,
    Sync,
)
from kit.db import Transaction, constraint_of
from kit.money import Money

_LAST_ID = UUID(int=2**128 - 1)


class SupplierProductRepository:
    async def add(self, tx: Transaction, product: SupplierProduct) -> SupplierProduct:
        """Raises SupplierProductTaken, OfferOfUnknownSupplier."""
        try:
            async with tx.savepoint():
                rows = await tx.execute(_ADD, _values(product))
        except IntegrityError as error:
            name = constraint_of(error)
            if name == "uq_supplier_product_merchant_id_supplier_supplier_sku":
                raise SupplierProductTaken(supplier_sku=product.supplier_sku) from error
            if name == "fk_supplier_product_merchant_id_supplier":
                raise OfferOfUnknownSupplier(supplier=product.supplier) from error
            raise
        return _product(rows.one())

    async def change(self, tx: Transaction, product: SupplierProduct) -> SupplierProduct:
        rows = await tx.execute(_CHANGE, _values(product))
        return _product(rows.one())

    async def drop(self, tx: Transaction, merchant_id: UUID, product_id: UUID) -> bool:
        rows = await tx.execute(_DROP, {"merchant_id": merchant_id, "id": product_id})
        return rows.one_or_none() is not None

    async def find(
        self, tx: Transaction, merchant_id: UUID, product_id: UUID, *, lock: bool = False
    ) -> SupplierProduct | None:
        statement = _LOCK if lock else _GET
        rows = await tx.execute(statement, {"merchant_id": merchant_id, "id": product_id})
        row = rows.one_or_none()
        return _product(row) if row else None

    async def list_products(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        sku: str | None = None,
        pool_id: UUID | None = None,
        supplier: str | None = None,
        after: UUID | None = None,
        limit: int,
    ) -> list[SupplierProduct]:
        """The newest first."""
        values = {
            "merchant_id": merchant_id,
            "sku": sku,
            "pool_id": pool_id,
            "supplier": supplier,
            "after": after or _LAST_ID,
            "limit": limit,
        }
        return [_product(row) for row in await tx.execute(_LIST, values)]

    async def lock_of_supplier(
        self, tx: Transaction, merchant_id: UUID, supplier: str
    ) -> list[SupplierProduct]:
        """Every offer of an account, locked in one order."""
        values = {"merchant_id": merchant_id, "supplier": supplier}
        return [_product(row) for row in await tx.execute(_LOCK_ALL, values)]

    async def save_seen(self, tx: Transaction, products: Sequence[SupplierProduct]) -> None:
        """What a believed list says of these."""
        fields = ("id", "cost_minor", "stock", "cost_accepted_minor", "paused_reason")
        values = {name: [getattr(each, name) for each in products] for name in fields}
        await tx.execute(_SAVE_SEEN, values)

    async def open_syncs(self, tx: Transaction, connectors: Sequence[str]) -> None:
        """Accounts that can be looked at are."""
        await tx.execute(_OPEN_SYNCS, {"connectors": list(connectors)})

    async def take_syncs(
        self, tx: Transaction, lease_id: UUID, lease: timedelta, limit: int
    ) -> list[Sync]:
        rows = await tx.execute(_TAKE_SYNCS, {"lease_id": lease_id, "lease": lease, "limit": limit})
        return [_sync(row) for row in rows]

    async def save_sync(self, tx: Transaction, sync: Sync, *, pause: timedelta) -> None:
        """`balance`, `articles` None: not seen this time, what was seen before stays."""
        await tx.execute(
            _SAVE_SYNC,
            {
                "supplier_id": sync.supplier_id,
                "lease_id": sync.lease_id,
                "balance_minor": sync.balance.amount_minor if sync.balance else None,
                "balance_currency": sync.balance.currency if sync.balance else None,
                "articles": sync.articles,
                "reason": sync.reason,
                "failures": sync.failures,
                "pause": pause,
            },
        )

    async def find_syncs(self, tx: Transaction, accounts: Sequence[tuple[UUID, str]]) -> list[Sync]:
        """Of (merchant, supplier): those that were looked at."""
        values = {
            "merchant_id": [merchant_id for merchant_id, _ in accounts],
            "supplier": [supplier for _, supplier in accounts],
        }
        return [_sync(row) for row in await tx.execute(_FIND_SYNCS, values)]

    async def find_named(
        self, tx: Transaction, offers: Sequence[OfferKey]
    ) -> list[SupplierProduct]:
        """Those of (merchant, supplier, its sku) that are set up."""
        values = {
            "merchant_id": [merchant_id for merchant_id, _, _ in offers],
            "supplier": [supplier for _, supplier, _ in offers],
            "supplier_sku": [sku for _, _, sku in offers],
        }
        return [_product(row) for row in await tx.execute(_FIND_NAMED, values)]


def _values(product: SupplierProduct) -> dict[str, Any]:
    return {name: getattr(product, name) for name in _FIELDS}


def _product(row: Any) -> SupplierProduct:  # a row has no static type
    return SupplierProduct(**{name: getattr(row, name) for name in _FIELDS})


def _sync(row: Any) -> Sync:  # a row has no static type
    balance = None if row.balance_minor is None else Money(row.balance_minor, row.balance_currency)
    return Sync(
        supplier_id=row.supplier_id,
        merchant_id=row.merchant_id,
        supplier=row.supplier,
        balance=balance,
        balance_at=row.balance_at,
        articles=row.articles,
        listed_at=row.listed_at,
        reason=row.reason,
        failures=row.failures,
        lease_id=row.lease_id,
    )


_SET = (
    "sku",
    "pool_id",
    "currency",
    "cost_minor",
    "stock",
    "fee_minor",
    "fee_basis_points",
    "cost_max_minor",
    "cost_accepted_minor",
    "drift_max_basis_points",
    "priority",
    "quantity_min",
    "quantity_max",
    "is_active",
    "paused_reason",
)
_FIELDS = (
    "id",
    "merchant_id",
    "supplier",
    "supplier_sku",
    *_SET,
    "seen_at",
    "paused_at",
    "created_at",
)
_COLUMNS = ", ".join(_FIELDS)
# Paused since when is said by the change itself.
_SINCE = """paused_at = CASE WHEN {new} = '' THEN NULL
    WHEN {old} = {new} THEN {table}.paused_at ELSE clock_timestamp() END"""
_ADD = text(
    f"""
    INSERT INTO supplier_product (id, merchant_id, supplier, supplier_sku, {", ".join(_SET)})
    VALUES (:id, :merchant_id, :supplier, :supplier_sku, {", ".join(f":{n}" for n in _SET)})
    RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_CHANGE = text(
    f"""
    UPDATE supplier_product p SET {", ".join(f"{name} = :{name}" for name in _SET)},
        {_SINCE.format(new="CAST(:paused_reason AS text)", old="p.paused_reason", table="p")}
    WHERE id = :id RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_DROP = text(
    "DELETE FROM supplier_product WHERE merchant_id = :merchant_id AND id = :id RETURNING id"
)
_READ = f"SELECT {_COLUMNS} FROM supplier_product"  # noqa: S608 - column names of this file
_GET = text(_READ + " WHERE merchant_id = :merchant_id AND id = :id")
_LOCK = text(_READ + " WHERE merchant_id = :merchant_id AND id = :id FOR UPDATE")
_LOCK_ALL = text(
    _READ + " WHERE merchant_id = :merchant_id AND supplier = :supplier ORDER BY id FOR UPDATE"
)
_LIST = text(
    _READ
    + """
    WHERE merchant_id = :merchant_id AND id < :after
      AND (CAST(:sku AS text) IS NULL OR sku = CAST(:sku AS text))
      AND (CAST(:pool_id AS uuid) IS NULL OR pool_id = CAST(:pool_id AS uuid))
      AND (CAST(:supplier AS text) IS NULL OR supplier = CAST(:supplier AS text))
    ORDER BY id DESC LIMIT :limit
    """
)
_FIND_NAMED = text(
    f"""
    {_READ} WHERE (merchant_id, supplier, supplier_sku) IN (
        SELECT * FROM unnest(CAST(:merchant_id AS uuid[]), CAST(:supplier AS text[]),
            CAST(:supplier_sku AS text[])))
    """  # noqa: S608 - column names of this file
)
_SAVE_SEEN = text(
    f"""
    UPDATE supplier_product p SET cost_minor = own.cost_minor, stock = own.stock,
        cost_accepted_minor = own.cost_accepted_minor, paused_reason = own.paused_reason,
        seen_at = CASE WHEN own.paused_reason = '{NOT_LISTED}' THEN p.seen_at
                       ELSE clock_timestamp() END,
        {_SINCE.format(new="own.paused_reason", old="p.paused_reason", table="p")}
    FROM unnest(CAST(:id AS uuid[]), CAST(:cost_minor AS bigint[]), CAST(:stock AS int[]),
        CAST(:cost_accepted_minor AS bigint[]), CAST(:paused_reason AS text[]))
        AS own (id, cost_minor, stock, cost_accepted_minor, paused_reason)
    WHERE p.id = own.id
    """  # noqa: S608 - words of this file
)
_OPEN_SYNCS = text(
    """
    INSERT INTO supplier_sync (supplier_id, merchant_id, supplier)
    SELECT s.id, s.merchant_id, s.name FROM supplier s
    WHERE s.is_enabled AND s.connector = ANY(CAST(:connectors AS text[]))
      AND NOT EXISTS (SELECT 1 FROM supplier_sync y WHERE y.supplier_id = s.id)
    ORDER BY s.id
    ON CONFLICT DO NOTHING
    """
)
_TAKE_SYNCS = text(
    """
    WITH pick AS MATERIALIZED (
        SELECT y.supplier_id FROM supplier_sync y JOIN supplier s ON s.id = y.supplier_id
        WHERE y.due_at <= clock_timestamp() AND s.is_enabled
        ORDER BY y.due_at LIMIT :limit FOR UPDATE OF y SKIP LOCKED
    )
    UPDATE supplier_sync y SET lease_id = :lease_id,
           due_at = clock_timestamp() + CAST(:lease AS interval)
    FROM pick WHERE y.supplier_id = pick.supplier_id RETURNING y.*
    """
)
_SAVE_SYNC = text(
    """
    UPDATE supplier_sync SET lease_id = NULL, reason = :reason, failures = :failures,
        due_at = clock_timestamp() + CAST(:pause AS interval),
        balance_minor = coalesce(CAST(:balance_minor AS bigint), balance_minor),
        balance_currency = coalesce(CAST(:balance_currency AS text), balance_currency),
        balance_at = CASE WHEN CAST(:balance_minor AS bigint) IS NULL THEN balance_at
                          ELSE clock_timestamp() END,
        articles = coalesce(CAST(:articles AS int), articles),
        listed_at = CASE WHEN CAST(:articles AS int) IS NULL THEN listed_at
                         ELSE clock_timestamp() END
    WHERE supplier_id = :supplier_id AND lease_id = :lease_id
    """
)
_FIND_SYNCS = text(
    """
    SELECT * FROM supplier_sync WHERE (merchant_id, supplier) IN (
        SELECT * FROM unnest(CAST(:merchant_id AS uuid[]), CAST(:supplier AS text[])))
    """
)
