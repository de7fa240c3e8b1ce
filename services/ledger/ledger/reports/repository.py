from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from ledger.accounts.domain import INVENTORY, AccountKind
from ledger.reports.domain import (
    CurrencyTotal,
    LotValue,
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
