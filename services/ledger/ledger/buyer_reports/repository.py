from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from ledger.buyer_reports.domain import Cell, Returning

# A buyer counts in a month with the first purchase in it: the one before lies in an earlier month.
_COHORTS = text("""
    SELECT first, month, currency,
        coalesce(sum(orders) FILTER (WHERE previous < month), 0)::bigint AS buyers,
        sum(orders)::bigint AS orders, sum(spent)::bigint AS spent
    FROM (
        SELECT width_bucket(first_slot, CAST(:starts AS timestamptz[])) AS first,
            width_bucket(slot, CAST(:starts AS timestamptz[])) AS month,
            width_bucket(previous_slot, CAST(:starts AS timestamptz[])) AS previous,
            currency, orders, spent
        FROM rollup_cohort WHERE merchant_id = :merchant_id
    ) AS purchase
    WHERE first BETWEEN 1 AND :months AND month BETWEEN 1 AND :months
    GROUP BY first, month, currency
    HAVING sum(orders) <> 0
    ORDER BY first, month, currency
""")
_RETURNING = text("""
    SELECT CASE WHEN CAST(:by_channel AS bool) THEN channel_id END AS channel_id,
        count(*) AS buyers,
        count(*) FILTER (WHERE second_at <= first_at + interval '30 days') AS again_30,
        count(*) FILTER (WHERE second_at <= first_at + interval '60 days') AS again_60,
        count(*) FILTER (WHERE second_at <= first_at + interval '90 days') AS again_90
    FROM buyer_fact
    WHERE merchant_id = :merchant_id AND first_at >= :since AND first_at < :until
    GROUP BY 1 ORDER BY 2 DESC, 1
""")


class BuyerRepository:
    async def list_cells(
        self, tx: Transaction, merchant_id: UUID, starts: Sequence[datetime]
    ) -> list[Cell]:
        """`starts` of the months and, last, the end of the last one."""
        values = {"merchant_id": merchant_id, "starts": list(starts), "months": len(starts) - 1}
        rows = await tx.execute(_COHORTS, values)
        return [
            Cell(row.first, row.month, row.currency, row.buyers, row.orders, row.spent)
            for row in rows
        ]

    async def list_returning(
        self,
        tx: Transaction,
        merchant_id: UUID,
        since: datetime,
        until: datetime,
        *,
        by_channel: bool,
    ) -> list[Returning]:
        rows = await tx.execute(
            _RETURNING,
            {
                "merchant_id": merchant_id,
                "since": since,
                "until": until,
                "by_channel": by_channel,
            },
        )
        return [_returning(row) for row in rows]


def _returning(row: Any) -> Returning:
    channel_id = str(row.channel_id) if row.channel_id else None
    return Returning(channel_id, row.buyers, (row.again_30, row.again_60, row.again_90))
