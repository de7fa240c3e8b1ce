from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from kit.db import Database, Transaction
from ledger.accounts.domain import SETTLEMENT_PENDING, SETTLEMENT_RESERVED, AccountKey
from ledger.accounts.service import AccountService
from ledger.payouts.service import PayoutService
from ledger.settlements.domain import (
    LineKind,
    Settlement,
    SettlementLine,
    SettlementState,
    Totals,
)
from ledger.settlements.service import SettlementService
from ledger.statements.domain import Statement, StatementNotReady

PAGE_LINES = 1_000
"""Lines per transaction of a CSV or PDF."""


class StatementService:
    def __init__(
        self, settlements: SettlementService, payouts: PayoutService, accounts: AccountService
    ) -> None:
        self._settlements = settlements
        self._payouts = payouts
        self._accounts = accounts

    async def get_statement(
        self, tx: Transaction, merchant_id: UUID, currency: str, settlement_id: UUID | None
    ) -> Statement:
        """Of the settlement, or of the last that is closed in the currency. Raises
        SettlementNotFound, StatementNotReady.
        """
        if settlement_id is None:
            settlement = await self._settlements.get_latest(tx, merchant_id, currency)
        else:
            settlement = await self._settlements.get_settlement(tx, merchant_id, settlement_id)
        if settlement.state is SettlementState.OPEN:
            raise StatementNotReady(settlement_id=str(settlement.id))
        payee = await self._payouts.find_payee(tx, merchant_id)
        return Statement(
            settlement=settlement,
            payee_name=payee.name if payee else "",
            totals=_together(await self._settlements.totals(tx, settlement.id)),
            pending_minor=await self._balance(tx, settlement, SETTLEMENT_PENDING.code),
            reserved_minor=await self._balance(tx, settlement, SETTLEMENT_RESERVED.code),
        )

    async def list_lines(
        self, tx: Transaction, statement: Statement, *, after: int, limit: int
    ) -> list[SettlementLine]:
        """In their order, those after the position."""
        return await self._settlements.list_lines(
            tx, statement.settlement.id, after=after, limit=limit
        )

    async def lines(
        self, db: Database, statement: Statement, *, lines_max: int | None = None
    ) -> AsyncIterator[Sequence[SettlementLine]]:
        """All lines, page by page; nothing can be added to them any more."""
        after = 0
        while lines_max is None or after < lines_max:
            limit = PAGE_LINES if lines_max is None else min(PAGE_LINES, lines_max - after)
            async with db.read() as tx:
                page = await self.list_lines(tx, statement, after=after, limit=limit)
            if not page:
                return
            yield page
            after = page[-1].position

    async def _balance(self, tx: Transaction, settlement: Settlement, code: str) -> int:
        key = AccountKey(settlement.merchant_id, code, settlement.currency)
        return await self._accounts.balance_of(tx, key)


def _together(totals: Sequence[Totals]) -> list[Totals]:
    """Causes of one kind are one line."""
    kinds = [kind for kind in LineKind if any(total.kind is kind for total in totals)]
    return [
        Totals(
            kind=kind,
            lines=sum(it.lines for it in totals if it.kind is kind),
            amount_minor=sum(it.amount_minor for it in totals if it.kind is kind),
        )
        for kind in kinds
    ]
