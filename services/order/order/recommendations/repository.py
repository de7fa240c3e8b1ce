from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.money import Money
from order.recommendations.domain import Completed, Recommendation, Rule

# Components of one bundle were not chosen together: they are no pair. Written in the order of the
# key, so that two workers never wait for each other.
_COUNT = text(
    """
    INSERT INTO product_pair (merchant_id, product_id, other_id, day, orders)
    SELECT o.merchant_id, pair.product_id, pair.other_id, w.day, count(*)
    FROM unnest(CAST(:order_ids AS uuid[]), CAST(:days AS date[])) AS w(order_id, day)
    JOIN orders o ON o.id = w.order_id
    CROSS JOIN LATERAL (
      SELECT DISTINCT a.product_id, b.product_id AS other_id
      FROM order_line a JOIN order_line b ON b.order_id = a.order_id
        AND b.product_id <> a.product_id AND b.status = 'delivered'
      WHERE a.order_id = w.order_id AND a.status = 'delivered'
        AND (a.bundle_no IS NULL OR a.bundle_no IS DISTINCT FROM b.bundle_no)
    ) pair
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (merchant_id, product_id, other_id, day)
      DO UPDATE SET orders = product_pair.orders + excluded.orders
    """
)
_OWE = text(
    "INSERT INTO product_pair_due (order_id, merchant_id) SELECT * FROM unnest("
    "CAST(:order_ids AS uuid[]), CAST(:merchant_ids AS uuid[])) ON CONFLICT DO NOTHING"
)
_TAKE_DUE = text(
    "DELETE FROM product_pair_due WHERE order_id IN (SELECT order_id FROM product_pair_due "
    "ORDER BY order_id LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING order_id, day"
)
_OF_PRODUCTS = text(
    """
    SELECT p.id, p.sku, p.name, p.price_minor, p.currency, found.orders
    FROM (
      SELECT other_id, sum(orders) AS orders FROM product_pair
      WHERE merchant_id = :merchant_id AND product_id = ANY(CAST(:product_ids AS uuid[]))
        AND other_id <> ALL(CAST(:product_ids AS uuid[]))
        AND day > CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date) - CAST(:window_days AS int)
      GROUP BY other_id HAVING sum(orders) >= CAST(:support_min AS int)
    ) found
    JOIN product p ON p.id = found.other_id AND p.merchant_id = :merchant_id AND p.is_active
    LEFT JOIN pool_stock s ON p.kind = 'pool'
      AND s.pool_id = CAST(p.fulfillment ->> 'pool_id' AS uuid)
    WHERE (p.kind <> 'pool' OR s.is_out = false)
      AND coalesce(p.sale_from <= clock_timestamp(), true)
      AND coalesce(p.sale_until > clock_timestamp(), true)
    ORDER BY found.orders DESC, p.id LIMIT :limit
    """
)
_PRUNE = text(
    """
    DELETE FROM product_pair WHERE (merchant_id, product_id, other_id, day) IN (
      SELECT merchant_id, product_id, other_id, day FROM product_pair
      WHERE day <= CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date) - CAST(:window_days AS int)
      ORDER BY day LIMIT :limit FOR UPDATE SKIP LOCKED)
    """
)


async def owe(tx: Transaction, ended: Sequence[tuple[UUID, UUID]]) -> None:
    """`ended`: (order, merchant)."""
    values = {
        "order_ids": [order_id for order_id, _ in ended],
        "merchant_ids": [merchant_id for _, merchant_id in ended],
    }
    await tx.execute(_OWE, values)


async def take_due(tx: Transaction, limit: int) -> list[Completed]:
    """At most `limit` orders that are not counted yet, and they are gone with `tx`."""
    rows = await tx.execute(_TAKE_DUE, {"limit": limit})
    return [Completed(row.order_id, row.day) for row in rows]


async def count_pairs(tx: Transaction, completed: Sequence[Completed]) -> None:
    values = {
        "order_ids": [order.order_id for order in completed],
        "days": [order.day for order in completed],
    }
    await tx.execute(_COUNT, values)


async def list_for(
    tx: Transaction, merchant_id: UUID, product_ids: Collection[UUID], rule: Rule, limit: int
) -> Sequence[Recommendation]:
    values = {
        "merchant_id": merchant_id,
        "product_ids": list(product_ids),
        "window_days": rule.window_days,
        "support_min": rule.support_min,
        "limit": limit,
    }
    return [
        Recommendation(row.id, row.sku, row.name, Money(row.price_minor, row.currency), row.orders)
        for row in await tx.execute(_OF_PRODUCTS, values)
    ]


async def prune(tx: Transaction, window_days: int, limit: int) -> int:
    """Deletes what no window shows any more; answers how many rows."""
    return (await tx.execute(_PRUNE, {"window_days": window_days, "limit": limit})).rowcount
