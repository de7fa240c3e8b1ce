from uuid import UUID

from kit.db import Transaction
from ledger.reports.domain import LotValue, TrialBalance
from ledger.reports.repository import ReportRepository

TRIAL_BALANCE_LINES_MAX = 2_000
"""Accounts shown; the totals cover all of them."""


class ReportService:
    def __init__(self, repository: ReportRepository) -> None:
        self._repository = repository

    async def trial_balance(self, tx: Transaction, merchant_id: UUID) -> TrialBalance:
        """Everything ever posted, per account and currency."""
        return await self._repository.trial_balance(
            tx, merchant_id, lines_max=TRIAL_BALANCE_LINES_MAX
        )

    async def lot_values(self, tx: Transaction, merchant_id: UUID, lot_id: UUID) -> list[LotValue]:
        """What a lot is worth on the shelf, per currency; empty for a lot never posted."""
        return await self._repository.lot_values(tx, merchant_id, lot_id)
