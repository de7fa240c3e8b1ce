from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from order.restock.domain import RestockRequest, RestockStatus, Wanted

# The same buyer again for the same product: the newest contact counts, the place stays.
_ADD = text(
    """
    INSERT INTO restock_request
      (id, merchant_id, product_id, pool_id, sku, customer_id, contact, locale)
    VALUES (:id, :merchant_id, :product_id, :pool_id, :sku, :customer_id, :contact, :locale)
    ON CONFLICT (merchant_id, product_id, customer_id) WHERE status = 'waiting'
      DO UPDATE SET contact = excluded.contact, locale = excluded.locale
    RETURNING *
    """
)
_IN_STOCK = text("SELECT EXISTS (SELECT FROM pool_stock WHERE pool_id = :pool_id AND NOT is_out)")
_TAKE_POOLS = text(
    """
    SELECT s.pool_id, s.units_back FROM pool_stock s
    WHERE s.units_back > 0 AND (s.pool_id, s.merchant_id) IN (
      SELECT pool_id, merchant_id FROM restock_request WHERE status = 'waiting')
    ORDER BY s.pool_id LIMIT :limit FOR UPDATE OF s SKIP LOCKED
    """
)
# As many as there are units, the oldest first; a unit is told of once. A product may name any pool:
# only its owner's buyers are told.
_MAKE_DUE = text(
    """
    WITH next AS (
      SELECT r.id FROM unnest(CAST(:pool_ids AS uuid[]), CAST(:units AS bigint[]))
        AS p(pool_id, units)
      JOIN pool_stock s ON s.pool_id = p.pool_id
      CROSS JOIN LATERAL (
        SELECT id FROM restock_request w WHERE w.pool_id = p.pool_id
          AND w.merchant_id = s.merchant_id AND w.status = 'waiting'
        ORDER BY w.requested_at, w.id LIMIT p.units FOR UPDATE
      ) r
    ), due AS (
      UPDATE restock_request SET status = 'due', due_at = clock_timestamp()
      FROM next WHERE restock_request.id = next.id RETURNING restock_request.*
    ), spent AS (
      UPDATE pool_stock SET units_back = units_back - told.count
      FROM (SELECT pool_id, count(*) AS count FROM due GROUP BY pool_id) told
      WHERE pool_stock.pool_id = told.pool_id
    )
    SELECT * FROM due ORDER BY requested_at, id
    """
)
_LIST = text(
    "SELECT * FROM restock_request WHERE merchant_id = :merchant_id AND status = :status "
    "AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid)) ORDER BY id LIMIT :limit"
)
_LOCK = text(
    "SELECT * FROM restock_request WHERE id = :id AND merchant_id = :merchant_id FOR UPDATE"
)
_END = text(
    "UPDATE restock_request SET status = :status, contact = NULL, ended_at = clock_timestamp() "
    "WHERE id = :id RETURNING *"
)
_LAPSE = text(
    """
    UPDATE restock_request SET status = 'lapsed', contact = NULL, ended_at = clock_timestamp()
    WHERE id IN (
      SELECT id FROM restock_request WHERE contact IS NOT NULL
        AND requested_at <= clock_timestamp() - make_interval(days => CAST(:days AS int))
      ORDER BY requested_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    """
)


async def add(
    tx: Transaction, request_id: UUID, wanted: Wanted, *, product_id: UUID, pool_id: UUID
) -> RestockRequest:
    """The buyer's waiting request for the product: this one, or the one that waits already."""
    values = {
        "id": request_id,
        "merchant_id": wanted.merchant_id,
        "product_id": product_id,
        "pool_id": pool_id,
        "sku": wanted.sku,
        "customer_id": wanted.customer_id,
        "contact": wanted.contact,
        "locale": wanted.locale,
    }
    return _request((await tx.execute(_ADD, values)).one())


async def is_in_stock(tx: Transaction, pool_id: UUID) -> bool:
    """As far as the vault's events say."""
    return bool((await tx.execute(_IN_STOCK, {"pool_id": pool_id})).scalar_one())


async def take_pools(tx: Transaction, limit: int) -> Sequence[tuple[UUID, int]]:
    """Pools with units that somebody waits for, locked, and how many of them came back."""
    rows = await tx.execute(_TAKE_POOLS, {"limit": limit})
    return [(row.pool_id, row.units_back) for row in rows]


async def make_due(tx: Transaction, pools: Sequence[tuple[UUID, int]]) -> Sequence[RestockRequest]:
    """Those who are told of so many units of locked pools."""
    values = {"pool_ids": [pool for pool, _ in pools], "units": [units for _, units in pools]}
    return [_request(row) for row in await tx.execute(_MAKE_DUE, values)]


async def list_requests(
    tx: Transaction, merchant_id: UUID, status: RestockStatus, *, after: UUID | None, limit: int
) -> Sequence[RestockRequest]:
    values = {
        "merchant_id": merchant_id,
        "status": status.value,
        "after": after,
        "limit": limit,
    }
    return [_request(row) for row in await tx.execute(_LIST, values)]


async def lock(tx: Transaction, merchant_id: UUID, request_id: UUID) -> RestockRequest | None:
    values = {"id": request_id, "merchant_id": merchant_id}
    row = (await tx.execute(_LOCK, values)).one_or_none()
    return _request(row) if row else None


async def end(tx: Transaction, request_id: UUID, status: RestockStatus) -> RestockRequest:
    """Ends a locked request and forgets its contact."""
    row = (await tx.execute(_END, {"id": request_id, "status": status.value})).one()
    return _request(row)


async def lapse(tx: Transaction, days: int, limit: int) -> int:
    return (await tx.execute(_LAPSE, {"days": days, "limit": limit})).rowcount


def _request(row: Any) -> RestockRequest:  # a row has no static type
    return RestockRequest(
        row.id,
        row.merchant_id,
        row.product_id,
        row.pool_id,
        row.sku,
        row.customer_id,
        row.contact,
        row.locale,
        RestockStatus(row.status),
        row.requested_at,
        row.due_at,
        row.ended_at,
    )
