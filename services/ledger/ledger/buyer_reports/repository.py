from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from ledger.buyer_reports.domain import Cell, Returning
from ledger.periods import Span

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
    SELECT CASE WHEN CAST(:by_channel AS bool)
            THEN nullif(channel_id, '00000000-0000-0000-0000-000000000000') END AS channel_id,
        sum(buyers)::bigint AS buyers, sum(again_30)::bigint AS again_30,
        sum(again_60)::bigint AS again_60, sum(again_90)::bigint AS again_90
    FROM unnest(CAST(:grains AS text[]), CAST(:froms AS timestamptz[]),
        CAST(:untils AS timestamptz[])) AS span(grain, since, until)
    JOIN rollup_buyer AS kept ON kept.merchant_id = :merchant_id AND kept.grain = span.grain
        AND kept.at >= span.since AND kept.at < span.until
    GROUP BY 1 HAVING sum(buyers) <> 0 ORDER BY 2 DESC, 1
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
        spans: Sequence[Span],
        *,
        by_channel: bool,
    ) -> list[Returning]:
        rows = await tx.execute(
            _RETURNING,
            {
                "merchant_id": merchant_id,
                "grains": [span.grain for span in spans],
                "froms": [span.since for span in spans],
                "untils": [span.until for span in spans],
                "by_channel": by_channel,
            },
        )
        return [_returning(row) for row in rows]


def _returning(row: Any) -> Returning:
    channel_id = str(row.channel_id) if row.channel_id else None
    return Returning(channel_id, row.buyers, (row.again_30, row.again_60, row.again_90))
