from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from ledger.goods_reports.domain import AGES, LotStock, Pair, StockGroup, SupplierQuality

_LOTS = text("""
    SELECT stock.lot_id, lot.supplier, stock.currency, stock.value_minor, lot.imported_at,
        lot.expires_at
    FROM rollup_stock AS stock LEFT JOIN lot_fact AS lot ON lot.lot_id = stock.lot_id
        AND lot.merchant_id = stock.merchant_id
    WHERE stock.merchant_id = :merchant_id AND stock.value_minor <> 0
        AND (CAST(:expiring AS timestamptz) IS NULL OR lot.expires_at < :expiring)
    ORDER BY CASE WHEN CAST(:expiring AS timestamptz) IS NULL THEN lot.imported_at
        ELSE lot.expires_at END, stock.lot_id
    LIMIT :limit OFFSET :offset
""")
# Days in whole days of 24 hours. What has expired already is in the first group.
_GROUPS = text("""
    SELECT kind, bound, currency, count(*) AS lots, sum(value_minor)::bigint AS value
    FROM (
        SELECT stock.currency, stock.value_minor, parts.kind, parts.days,
            (SELECT min(age) FROM unnest(CAST(:ages AS int[])) AS age
             WHERE parts.days < age) AS bound
        FROM rollup_stock AS stock LEFT JOIN lot_fact AS lot ON lot.lot_id = stock.lot_id
            AND lot.merchant_id = stock.merchant_id
        CROSS JOIN LATERAL (VALUES
            ('age', extract(epoch FROM CAST(:now AS timestamptz) - lot.imported_at) / 86400),
            ('expires', extract(epoch FROM lot.expires_at - CAST(:now AS timestamptz)) / 86400)
        ) AS parts(kind, days)
        WHERE stock.merchant_id = :merchant_id AND stock.value_minor <> 0
    ) AS grouped
    GROUP BY 1, 2, 3 ORDER BY 3, 1, 2 NULLS LAST
""")
_QUALITY = text("""
    SELECT supplier, sum(sold)::bigint AS sold, sum(dead)::bigint AS dead
    FROM (
        SELECT coalesce(nullif(kept.supplier, ''), lot.supplier, '') AS supplier,
            kept.units AS sold, 0 AS dead
        FROM rollup_goods AS kept LEFT JOIN lot_fact AS lot ON lot.lot_id = kept.lot_id
            AND lot.merchant_id = kept.merchant_id
        WHERE kept.merchant_id = :merchant_id AND kept.grain = 'lot_month'
            AND kept.units <> 0
        UNION ALL
        SELECT coalesce(lot.supplier, ''), 0, 1
        FROM claim_fact AS claim LEFT JOIN lot_fact AS lot ON lot.lot_id = claim.lot_id
            AND lot.merchant_id = claim.merchant_id
        WHERE claim.merchant_id = :merchant_id
    ) AS counted
    GROUP BY supplier ORDER BY sum(dead) DESC, sum(sold) DESC, supplier LIMIT :limit
""")
_PAIRS = text("""
    WITH kept AS (
        SELECT first_product, second_product, sum(orders)::bigint AS orders FROM rollup_basket
        WHERE merchant_id = :merchant_id AND day >= :since AND day < :until
        GROUP BY 1, 2
    ), single AS (
        SELECT first_product AS product, orders FROM kept WHERE first_product = second_product
    )
    SELECT kept.first_product, kept.second_product, kept.orders, one.orders AS first_orders,
        two.orders AS second_orders,
        (SELECT coalesce(sum(delivered), 0)::bigint FROM rollup_time
         WHERE merchant_id = :merchant_id AND grain = 'day'
             AND at >= CAST(:since AS date)::timestamp AT TIME ZONE 'UTC'
             AND at < CAST(:until AS date)::timestamp AT TIME ZONE 'UTC') AS orders_total
    FROM kept JOIN single AS one ON one.product = kept.first_product
    JOIN single AS two ON two.product = kept.second_product
    WHERE kept.first_product <> kept.second_product AND kept.orders > 0
        AND (CAST(:product_id AS uuid) IS NULL
            OR :product_id IN (kept.first_product, kept.second_product))
    ORDER BY kept.orders DESC, 1, 2 LIMIT :limit OFFSET :offset
""")


class GoodsRepository:
    async def list_lots(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        expiring: datetime | None,
        limit: int,
        offset: int,
    ) -> list[LotStock]:
        """The oldest first; those that expire before `expiring`, the soonest first."""
        values = {
            "merchant_id": merchant_id,
            "expiring": expiring,
            "limit": limit,
            "offset": offset,
        }
        return [
            LotStock(
                row.lot_id,
                row.supplier or None,
                row.currency,
                row.value_minor,
                row.imported_at,
                row.expires_at,
            )
            for row in await tx.execute(_LOTS, values)
        ]

    async def list_groups(
        self, tx: Transaction, merchant_id: UUID, now: datetime
    ) -> list[StockGroup]:
        values = {"merchant_id": merchant_id, "now": now, "ages": list(AGES)}
        return [
            StockGroup(row.kind, row.bound, row.currency, row.lots, row.value)
            for row in await tx.execute(_GROUPS, values)
        ]

    async def list_quality(
        self, tx: Transaction, merchant_id: UUID, *, limit: int
    ) -> list[SupplierQuality]:
        rows = await tx.execute(_QUALITY, {"merchant_id": merchant_id, "limit": limit})
        return [SupplierQuality(row.supplier or None, row.sold, row.dead) for row in rows]

    async def list_pairs(
        self,
        tx: Transaction,
        merchant_id: UUID,
        since: date,
        until: date,
        *,
        product_id: UUID | None,
        limit: int,
        offset: int,
    ) -> list[Pair]:
        rows = await tx.execute(
            _PAIRS,
            {
                "merchant_id": merchant_id,
                "since": since,
                "until": until,
                "product_id": product_id,
                "limit": limit,
                "offset": offset,
            },
        )
        return [_pair(row) for row in rows]


def _pair(row: Any) -> Pair:
    return Pair(
        row.first_product,
        row.second_product,
        row.orders,
        row.first_orders,
        row.second_orders,
        row.orders_total,
    )
