from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.statements import Read
from risk.counts import KeyKind
from risk.open_orders.domain import COUNTED_BY, OPEN_MAX
from risk.velocity.domain import Purchase

_COLUMNS = ", ".join(f"{kind}_key" for kind in COUNTED_BY)
_ADD = text(f"""
    INSERT INTO open_order (order_id, merchant_id, at, {_COLUMNS})
    SELECT * FROM unnest(CAST(:orders AS uuid[]), CAST(:merchants AS uuid[]),
        CAST(:ats AS timestamptz[]),
        {", ".join(f"CAST(:{kind}_keys AS uuid[])" for kind in COUNTED_BY)})
    ON CONFLICT (order_id) DO NOTHING
""")  # noqa: S608 - made of the kinds of keys
_COUNT = text(
    " UNION ALL ".join(
        f"""
        SELECT '{kind}' AS kind, given.key, few.orders
        FROM unnest(CAST(:{kind}_keys AS uuid[])) AS given(key)
        CROSS JOIN LATERAL (
            SELECT count(*) AS orders FROM (
                SELECT FROM open_order WHERE {kind}_key = given.key LIMIT :most
            ) AS waiting
        ) AS few
        WHERE few.orders > 0
        """  # noqa: S608 - made of the kinds of keys
        for kind in COUNTED_BY
    )
)
# In one order, so that two who close the same ones wait for each other.
_CLOSE = text("""
    DELETE FROM open_order USING (
        SELECT order_id FROM open_order WHERE order_id = ANY(CAST(:orders AS uuid[]))
        ORDER BY order_id FOR UPDATE
    ) AS ended WHERE open_order.order_id = ended.order_id
""")
_DROP_LOST = text("""
    DELETE FROM open_order USING (
        SELECT order_id FROM open_order
        WHERE at < clock_timestamp() - CAST(:lost_after AS interval)
        ORDER BY at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) AS lost WHERE open_order.order_id = lost.order_id
    RETURNING open_order.order_id
""")


class OpenOrderRepository:
    def add(self, tx: Transaction, purchases: Sequence[Purchase]) -> None:
        """Written with what else is left for the end of the transaction."""
        tx.later(
            _ADD,
            {
                "orders": [it.id for it in purchases],
                "merchants": [it.merchant_id for it in purchases],
                "ats": [it.at for it in purchases],
                **{f"{kind}_keys": [it.key_of(kind) for it in purchases] for kind in COUNTED_BY},
            },
        )

    def count(self, keys: Mapping[KeyKind, Sequence[UUID]]) -> Read:
        """(Kind of the key, key, its open orders), of those that have any."""
        values = {f"{kind}_keys": list(keys[kind]) for kind in COUNTED_BY}
        return Read(_COUNT, values | {"most": OPEN_MAX})

    async def close(self, tx: Transaction, orders: Collection[UUID]) -> None:
        await tx.execute(_CLOSE, {"orders": list(orders)})

    async def drop_lost(self, tx: Transaction, lost_after: timedelta, *, limit: int) -> int:
        """How many of the oldest were dropped."""
        rows = await tx.execute(_DROP_LOST, {"lost_after": lost_after, "limit": limit})
        return len(rows.all())
