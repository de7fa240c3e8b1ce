from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from kit.db import Transaction
from ledger.accounts.domain import INVENTORY, AccountKind
from ledger.reports.domain import (
    CurrencyTotal,
    LotValue,
    MarginGroup,
    MarginLine,
    TrialBalance,
    TrialBalanceLine,
)

# Lines and totals in one statement: of the same moment, so a balanced ledger reads balanced.
# The totals cover all accounts; when there are too many to show, each currency shows some.
_TRIAL_BALANCE = text("""
    SELECT account.id, account.code, account.kind, account.currency,
        coalesce(balance.debit_minor, 0) AS debit_minor,
        coalesce(balance.credit_minor, 0) AS credit_minor,
        sum(coalesce(balance.debit_minor, 0)) OVER of_currency AS currency_debit_minor,
        sum(coalesce(balance.credit_minor, 0)) OVER of_currency AS currency_credit_minor,
        row_number() OVER (PARTITION BY account.currency ORDER BY account.code) AS position
    FROM account LEFT JOIN account_balance AS balance ON balance.account_id = account.id
    WHERE account.merchant_id = :merchant_id
    WINDOW of_currency AS (PARTITION BY account.currency)
    ORDER BY position, account.currency
    LIMIT :lines_max
""")


def _margin(column: str) -> TextClause:
    return text(f"""
        SELECT posting.{column}::text AS "group", posting.currency,
            coalesce(-sum(posting.amount_minor) FILTER (WHERE account.kind = 'income'), 0)
                AS revenue,
            coalesce(sum(posting.amount_minor) FILTER (WHERE account.kind = 'expense'), 0) AS cost
        FROM posting JOIN account ON account.id = posting.account_id
        WHERE posting.merchant_id = :merchant_id AND account.kind IN ('income', 'expense')
            AND posting.at >= :from_at AND posting.at < :until_at
        GROUP BY 1, 2
        ORDER BY 3 DESC, 1, 2
        LIMIT :lines_max
    """)  # noqa: S608 - `column` is one of three constants below


_MARGINS: Mapping[MarginGroup, TextClause] = {
    MarginGroup.CHANNEL: _margin("channel_id"),
    MarginGroup.PRODUCT: _margin("product_id"),
    MarginGroup.SKU: _margin("sku"),
}
_LOT = text("""
    SELECT posting.currency,
        coalesce(sum(posting.amount_minor) FILTER (WHERE posting.amount_minor > 0), 0) AS received,
        coalesce(-sum(posting.amount_minor) FILTER (WHERE posting.amount_minor < 0), 0) AS sold
    FROM posting JOIN account ON account.id = posting.account_id
    WHERE posting.lot_id = :lot_id AND posting.merchant_id = :merchant_id
        AND account.code = :inventory
    GROUP BY posting.currency
    ORDER BY posting.currency
""")


class ReportRepository:
    async def trial_balance(
        self, tx: Transaction, merchant_id: UUID, *, lines_max: int
    ) -> TrialBalance:
        result = await tx.execute(
            _TRIAL_BALANCE, {"merchant_id": merchant_id, "lines_max": lines_max}
        )
        rows = result.all()
        totals = {
            row.currency: CurrencyTotal(
                row.currency, int(row.currency_debit_minor), int(row.currency_credit_minor)
            )
            for row in rows
        }
        lines = sorted((_line(row) for row in rows), key=lambda line: (line.currency, line.code))
        return TrialBalance(lines, list(totals.values()))

    async def margin(
        self,
        tx: Transaction,
        merchant_id: UUID,
        group: MarginGroup,
        *,
        from_at: datetime,
        until_at: datetime,
        lines_max: int,
    ) -> list[MarginLine]:
        """Highest revenue first."""
        rows = await tx.execute(
            _MARGINS[group],
            {
                "merchant_id": merchant_id,
                "from_at": from_at,
                "until_at": until_at,
                "lines_max": lines_max,
            },
        )
        return [
            MarginLine(row.group, row.currency, int(row.revenue), int(row.cost)) for row in rows
        ]

    async def lot_values(self, tx: Transaction, merchant_id: UUID, lot_id: UUID) -> list[LotValue]:
        rows = await tx.execute(
            _LOT, {"merchant_id": merchant_id, "lot_id": lot_id, "inventory": INVENTORY.code}
        )
        return [LotValue(lot_id, row.currency, int(row.received), int(row.sold)) for row in rows]


def _line(row: Any) -> TrialBalanceLine:
    return TrialBalanceLine(
        row.id,
        row.code,
        AccountKind(row.kind),
        row.currency,
        int(row.debit_minor),
        int(row.credit_minor),
    )
