"""Reads a supplier's statement and holds it against our purchases; each difference is a case."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO
from uuid import UUID

from fulfillment.cases.domain import Case
from fulfillment.cases.service import CaseService
from fulfillment.supplier_statements import events
from fulfillment.supplier_statements.domain import (
    Differing,
    Reading,
    Statement,
    StatementLine,
    StatementNotFound,
    StatementOfUnknownSupplier,
    StatementState,
    read_lines,
)
from fulfillment.supplier_statements.repository import StatementRepository
from kit.db import Database, Transaction
from kit.errors import DomainError, ErrorKind
from kit.messaging import outbox

CASES_TOGETHER = 2_000
DIFFERENCES_MAX = 200_000


class StatementService:
    def __init__(self, repository: StatementRepository, cases: CaseService) -> None:
        self._repository = repository
        self._cases = cases

    async def reconcile(
        self, db: Database, statement: Statement, text: TextIO, reading: Reading
    ) -> Statement:
        """The statement at its end. The same file again answers the same and opens no case twice;
        one that was cut off is read again from its beginning. Progress is committed chunk by
        chunk.

        Raises StatementOfUnknownSupplier, UnreadableStatement, ColumnMissing, StatementTooLong.
        """
        async with db.transaction() as tx:
            if not await self._repository.has_supplier(
                tx, statement.merchant_id, statement.supplier
            ):
                raise StatementOfUnknownSupplier(supplier=statement.supplier)
            begun = await self._repository.begin(tx, statement)
        if begun.state is StatementState.COMPLETED:
            return begun
        try:
            await self._read(db, begun, text, reading)
        except DomainError as error:
            if error.kind is ErrorKind.INVALID:
                async with db.transaction() as tx:
                    await self._repository.end(
                        tx, begun.id, StatementState.FAILED, reason=error.code
                    )
            raise
        async with db.transaction() as tx:
            return await self._compare(tx, begun)

    async def get(self, tx: Transaction, merchant_id: UUID, statement_id: UUID) -> Statement:
        """Raises StatementNotFound."""
        found = await self._repository.find(tx, merchant_id, statement_id)
        if found is None:
            raise StatementNotFound
        return found

    async def list_statements(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> Sequence[Statement]:
        """The merchant's statements, newest first."""
        return await self._repository.list_statements(tx, merchant_id, after=after, limit=limit)

    async def _read(
        self, db: Database, statement: Statement, text: TextIO, reading: Reading
    ) -> None:
        chunks = read_lines(text, reading)
        while lines := await asyncio.to_thread(_next, chunks):
            async with db.transaction() as tx:
                await self._repository.add_lines(tx, statement, lines)

    async def _compare(self, tx: Transaction, statement: Statement) -> Statement:
        await self._repository.resolve(tx, statement)
        results = await self._repository.count(tx, statement)
        differing = await self._repository.list_differing(tx, statement, DIFFERENCES_MAX)
        for start in range(0, len(differing), CASES_TOGETHER):
            some = differing[start : start + CASES_TOGETHER]
            await self._cases.open_many(tx, [_case(statement, it) for it in some], tell=False)
        ended = await self._repository.end(
            tx, statement.id, StatementState.COMPLETED, results=results
        )
        if ended is None:
            return await self.get(tx, statement.merchant_id, statement.id)
        message = events.reconciled(ended)
        outbox.add(tx, message, key=ended.id, merchant_id=ended.merchant_id)
        return ended


def _next(chunks: Iterator[list[StatementLine]]) -> list[StatementLine]:
    return next(chunks, [])


def _case(statement: Statement, found: Differing) -> Case:
    """The same difference of the same reference is one case, whatever statement says it."""
    there, here = found.amount_there, found.amount_here
    details: Mapping[str, object] = {
        "statement_id": str(statement.id),
        "line": found.line,
        "reference": found.reference,
        "status_there": found.status_there,
        "state_here": found.state_here,
        "amount_there": str(there) if there else None,
        "amount_here": str(here) if here else None,
    }
    known = str(found.purchase_id or found.reference)
    subject = f"{statement.supplier}/{known}/{found.status_there}/{there or ''}"
    return Case(
        merchant_id=statement.merchant_id,
        kind=f"statement_{found.kind.value}",
        subject=subject[:500],
        supplier=statement.supplier,
        purchase_id=found.purchase_id,
        order_id=found.order_id,
        procurement_id=found.procurement_id,
        amount=there or here,
        details=details,
    )
