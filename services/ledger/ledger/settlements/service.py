from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from kit.messaging import outbox
from ledger.payouts.domain import Payout, PayoutState
from ledger.payouts.service import PayoutService
from ledger.settlement_rules.domain import Terms
from ledger.settlement_rules.service import SettlementRuleService
from ledger.settlements import events
from ledger.settlements.domain import (
    PeriodNotOver,
    Preview,
    Settlement,
    SettlementLine,
    SettlementNotFound,
    SettlementState,
    Totals,
)
from ledger.settlements.repository import SettlementRepository

SETTLEMENTS_MAX = 1_000
"""Merchants and currencies that one call opens; the next call takes the next."""
SCHEDULE = "schedule"
"""Who opened what was due by itself."""
LINES_MAX = 5_000
"""Postings that one transaction puts into a settlement."""


class SettlementService:
    def __init__(
        self,
        repository: SettlementRepository,
        rules: SettlementRuleService,
        payouts: PayoutService,
    ) -> None:
        self._repository = repository
        self._rules = rules
        self._payouts = payouts
        self._looked: dict[tuple[UUID, str], datetime] = {}

    async def preview(
        self, tx: Transaction, period_end: datetime, merchant_id: UUID | None
    ) -> list[Preview]:
        """What a run would settle, and nothing is written. Raises PeriodNotOver."""
        await self._require_over(tx, period_end)
        found = await self._repository.to_settle(tx, period_end, merchant_id, SETTLEMENTS_MAX)
        return [preview for preview, _ in found]

    async def run(
        self, tx: Transaction, period_end: datetime, merchant_id: UUID | None, by: str
    ) -> list[Settlement]:
        """Opens a settlement for each merchant and currency that has something to settle; the job
        collects their lines and closes them. Answers all of the period, whoever opened them.

        Raises PeriodNotOver.
        """
        now = await self._require_over(tx, period_end)
        found = await self._repository.to_settle(tx, period_end, merchant_id, SETTLEMENTS_MAX)
        if found:
            keys = [preview.key for preview, _ in found]
            terms = await self._rules.general_terms(tx, keys, now)
            opened = [
                _open(preview, start, period_end, terms[preview.key], by)
                for preview, start in found
            ]
            await self._repository.add(tx, opened)
        return await self._repository.of_period(tx, period_end, merchant_id, SETTLEMENTS_MAX)

    async def run_due(self, tx: Transaction) -> int:
        """Opens what T+n of the rules says is due by the database's clock, as `run` does; how many.

        What was settled up to then already, by whoever called, is left alone. A period is looked
        at once by a process.
        """
        keys = await self._repository.to_look_at(tx)
        now = await self._repository.now(tx)
        terms = await self._rules.general_terms(tx, keys, now)
        ends = {key: terms[key].due_period_end(now) for key in keys}
        fresh = {key: end for key, end in ends.items() if self._looked.get(key) != end}
        if not fresh:
            return 0
        found = await self._repository.to_settle_each(tx, fresh, SETTLEMENTS_MAX)
        if found:
            opened = [
                _open(it, start, fresh[it.key], terms[it.key], SCHEDULE) for it, start in found
            ]
            await self._repository.add(tx, opened)
        if len(found) < SETTLEMENTS_MAX:
            tx.on_commit(partial(self._looked.update, fresh))
        return len(found)

    async def advance(self, tx: Transaction) -> bool:
        """Collects lines of an open settlement, or closes it when all are there. False when no
        settlement is open, or others are at work on all of them.

        Closing proposes the payout and tells it, in the same transaction: after a crash either
        nothing of it happened or all.
        """
        settlement = await self._repository.take_open(tx)
        if settlement is None:
            return False
        if await self._repository.collect(tx, settlement, LINES_MAX) == 0:
            await self._close(tx, settlement)
        return True

    async def follow(self, tx: Transaction, payout: Payout) -> None:
        """A settlement is paid while its payout is."""
        if payout.settlement_id is not None:
            is_paid = payout.state is PayoutState.PAID
            state = SettlementState.PAID if is_paid else SettlementState.CLOSED
            await self._repository.follow(tx, payout.settlement_id, state)

    async def get_settlement(
        self, tx: Transaction, merchant_id: UUID | None, settlement_id: UUID
    ) -> Settlement:
        """Raises SettlementNotFound; with no merchant any one's."""
        found = await self._repository.find(tx, settlement_id)
        if found is None or merchant_id not in (None, found.merchant_id):
            raise SettlementNotFound(settlement_id=str(settlement_id))
        return found

    async def get_latest(self, tx: Transaction, merchant_id: UUID, currency: str) -> Settlement:
        """The last one that is closed. Raises SettlementNotFound."""
        found = await self._repository.find_latest(tx, merchant_id, currency)
        if found is None:
            raise SettlementNotFound(merchant_id=str(merchant_id), currency=currency)
        return found

    async def list_settlements(
        self,
        tx: Transaction,
        merchant_id: UUID | None,
        *,
        state: SettlementState | None,
        before: UUID | None,
        limit: int,
    ) -> Sequence[Settlement]:
        """Newest first; with no merchant those of all."""
        return await self._repository.list_settlements(
            tx, merchant_id, state=state, before=before, limit=limit
        )

    async def list_lines(
        self, tx: Transaction, settlement_id: UUID, *, after: int, limit: int
    ) -> list[SettlementLine]:
        """In their order, those after the position."""
        return await self._repository.list_lines(tx, settlement_id, after=after, limit=limit)

    async def totals(self, tx: Transaction, settlement_id: UUID) -> list[Totals]:
        """By cause."""
        return await self._repository.totals(tx, settlement_id)

    async def _close(self, tx: Transaction, settlement: Settlement) -> None:
        payout_id = await self._propose_payout(tx, settlement)
        closed = await self._repository.close(tx, settlement.id, payout_id)
        outbox.add(
            tx,
            events.settlement_closed(closed),
            key=closed.id,
            merchant_id=closed.merchant_id,
        )

    async def _propose_payout(self, tx: Transaction, settlement: Settlement) -> UUID | None:
        if not settlement.payable_minor:
            return None
        merchant_id, currency = settlement.merchant_id, settlement.currency
        free = await self._payouts.free_minor(tx, merchant_id, currency)
        # Refunds that came after the period, and payouts that are under way, lower it.
        amount = replace(settlement, closing_minor=min(settlement.closing_minor, free))
        if not amount.payable_minor:
            return None
        payout = await self._payouts.propose(
            tx, merchant_id, currency, amount.payable_minor, settlement.created_by, settlement.id
        )
        return payout.id

    async def _require_over(self, tx: Transaction, period_end: datetime) -> datetime:
        """The time by the database."""
        now = await self._repository.now(tx)
        if period_end > now:
            raise PeriodNotOver
        return now


def _open(
    preview: Preview, start: datetime | None, period_end: datetime, terms: Terms, by: str
) -> Settlement:
    return Settlement(
        id=new_id(),
        merchant_id=preview.merchant_id,
        currency=preview.currency,
        period_start=start,
        period_end=period_end,
        state=SettlementState.OPEN,
        opening_minor=preview.opening_minor,
        closing_minor=preview.opening_minor,
        lines=0,
        due_on=terms.due_on(period_end),
        payout_min_minor=terms.payout_min_minor,
        created_by=by,
        created_at=period_end,
    )
