from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from ledger.accounts.service import AccountService
from ledger.reports.domain import (
    LotValue,
    TrialBalance,
    trial_balance_of,
)
from ledger.reports.repository import ReportRepository

TRIAL_BALANCE_LINES_MAX = 2_000
"""Accounts shown; the totals cover all of them."""


class ReportService:
    def __init__(self, repository: ReportRepository, accounts: AccountService) -> None:
        self._repository = repository
        self._accounts = accounts

    async def trial_balance(
        self, tx: Transaction, merchant_id: UUID, at: datetime | None = None
    ) -> TrialBalance:
        """Everything posted with a time up to `at`, or ever, per account and currency."""
        if at is not None:
            balances = await self._accounts.balances_at(tx, merchant_id, at)
            return trial_balance_of(balances, TRIAL_BALANCE_LINES_MAX)
        return await self._repository.trial_balance(
            tx, merchant_id, lines_max=TRIAL_BALANCE_LINES_MAX
        )

    async def lot_values(self, tx: Transaction, merchant_id: UUID, lot_id: UUID) -> list[LotValue]:
        """What a lot is worth on the shelf, per currency; empty for a lot never posted."""
        return await self._repository.lot_values(tx, merchant_id, lot_id)
