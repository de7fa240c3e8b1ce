import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TextIO
from uuid import UUID

from kit.db import Database, Transaction
from kit.errors import DomainError, ErrorKind
from ledger.reconciliation_cases.domain import Difference
from ledger.reconciliation_cases.service import ReconciliationCaseService
from ledger.reconciliations.domain import (
    Line,
    MoneyOut,
    Payment,
    Reading,
    Reconciliation,
    ReconciliationNotFound,
    State,
    read_lines,
)
from ledger.reconciliations.repository import ReconciliationRepository

DIFFERENCES_MAX = 200_000
LATE_TOGETHER = 2_000


class ReconciliationService:
    def __init__(
        self,
        repository: ReconciliationRepository,
        cases: ReconciliationCaseService,
        *,
        late_days: int,
        platform_id: UUID | None,
    ) -> None:
        """`platform_id`: the merchant in whose statements everybody's payouts are listed."""
        self._repository = repository
        self._cases = cases
        self._late_days = late_days
        self._platform_id = platform_id

    async def tell_payments(self, tx: Transaction, payments: Sequence[Payment]) -> None:
        """What arrived; the same again changes nothing."""
        known = [each for each in payments if each.amount_minor > 0 and each.reference]
        if known:
            await self._repository.add_payments(tx, known)

    async def tell_money_out(self, tx: Transaction, out: Sequence[MoneyOut]) -> None:
        """What left; the same again changes nothing."""
        known = [each for each in out if each.amount_minor > 0]
        if known:
            await self._repository.add_money_out(tx, known)

    async def tell_references(
        self, tx: Transaction, references: Sequence[tuple[UUID, UUID, UUID, str]]
    ) -> None:
        """(order, merchant, channel, what the channel calls the order)"""
        if references:
            await self._repository.add_references(tx, references)

    async def reconcile(
        self, db: Database, one: Reconciliation, text: TextIO, reading: Reading
    ) -> Reconciliation:
        """The statement at its end. The same file again answers the same and opens no case twice;
        one that was cut off is read again. Progress is committed chunk by chunk.

        Raises StatementUnreadable, ColumnsMissing, StatementTooLong.
        """
        async with db.transaction() as tx:
            begun = await self._repository.begin(tx, one)
        if begun.state is State.COMPLETED:
            return begun
        try:
            await self._read(db, begun, text, reading)
        except DomainError as error:
            if error.kind is ErrorKind.INVALID:
                async with db.transaction() as tx:
                    await self._repository.end(
                        tx, begun.id, State.FAILED, reason=error.code, results={}
                    )
            raise
        async with db.transaction() as tx:
            return await self._compare(tx, begun)

    async def find_late(self, db: Database) -> bool:
        """Cases for payments that no statement lists after so many days; True when there may be
        more.
        """
        async with db.transaction() as tx:
            late = await self._repository.list_late(tx, days=self._late_days, limit=LATE_TOGETHER)
            by_source: dict[tuple[UUID, str], list[Difference]] = defaultdict(list)
            for merchant_id, source, difference in late:
                by_source[merchant_id, source].append(difference)
            for (merchant_id, source), differences in by_source.items():
                await self._cases.open_many(tx, merchant_id, source, None, differences)
        return len(late) == LATE_TOGETHER

    async def get(self, tx: Transaction, merchant_id: UUID, one: UUID) -> Reconciliation:
        """Raises ReconciliationNotFound."""
        found = await self._repository.find(tx, merchant_id, one)
        if found is None:
            raise ReconciliationNotFound
        return found

    async def list_them(
        self, tx: Transaction, merchant_id: UUID, *, before: UUID | None, limit: int
    ) -> list[Reconciliation]:
        """Newest first."""
        return await self._repository.list_them(tx, merchant_id, before=before, limit=limit)

    async def _read(
        self, db: Database, one: Reconciliation, text: TextIO, reading: Reading
    ) -> None:
        chunks = read_lines(text, reading)
        while True:
            # Reading a file is work of its own: the loop goes on meanwhile.
            chunk = await asyncio.to_thread(_next, chunks)
            if chunk is None:
                return
            async with db.transaction() as tx:
                await self._repository.add_lines(tx, one.id, chunk)

    async def _compare(self, tx: Transaction, one: Reconciliation) -> Reconciliation:
        results, differences = await self._repository.compare(tx, one, limit=DIFFERENCES_MAX)
        matched, unexplained = await self._repository.compare_outgoing(
            tx, one, pays_all=one.merchant_id == self._platform_id, limit=DIFFERENCES_MAX
        )
        if matched:
            results["outgoing_matched"] = matched
        differences += unexplained
        await self._cases.open_many(tx, one.merchant_id, one.source.name, one.id, differences)
        return await self._repository.end(tx, one.id, State.COMPLETED, reason="", results=results)


def _next(chunks: Iterator[list[Line]]) -> list[Line] | None:
    return next(chunks, None)
