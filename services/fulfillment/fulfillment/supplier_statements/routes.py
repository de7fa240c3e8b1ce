"""Suppliers' statements for operators."""

import asyncio
import io
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile

from fulfillment.supplier_statements.domain import (
    DONE_WORDS,
    FAILED_WORDS,
    Columns,
    Reading,
    Statement,
)
from fulfillment.supplier_statements.schemas import StatementRead
from fulfillment.supplier_statements.service import StatementService
from kit.db import Database
from kit.http import Caller, CodeText, CurrencyCode, Timestamp, caller
from kit.ids import new_id
from kit.paging import Page, PageRequest, page_of, page_request
from kit.statement_files import digest_of

PATH = "/v1/supplier-statements"
BODY_BYTES_MAX = 64 * 1024 * 1024
router = APIRouter(prefix=PATH, tags=["supplier statements"])
READ = "suppliers:read"
WRITE = "suppliers:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _statements(request: Request) -> StatementService:
    return cast(StatementService, request.app.state.supplier_statements)


Db = Annotated[Database, Depends(_db)]
Statements = Annotated[StatementService, Depends(_statements)]
Title = Annotated[str, Form(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Words = Annotated[str, Form(max_length=1_000, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _reading(
    currency: Annotated[CurrencyCode, Form(description="Of lines that name none.")],
    reference: Title = "reference",
    supplier_reference: Title = "",
    amount: Title = "amount",
    currency_column: Title = "",
    status: Title = "status",
    time: Title = "",
    decimals: Annotated[int, Form(ge=0, le=4, description="Of its amounts.")] = 2,
    done_words: Words = DONE_WORDS,
    failed_words: Words = FAILED_WORDS,
) -> Reading:
    """Which column is what, and which words mean what."""
    columns = Columns(
        reference=reference,
        supplier_reference=supplier_reference,
        amount=amount,
        currency=currency_column,
        status=status,
        time=time,
    )
    words = (
        frozenset(word.strip().lower() for word in given.split(",") if word.strip())
        for given in (done_words, failed_words)
    )
    return Reading(columns, currency, decimals, *words)


@router.post("", status_code=201, summary="Reconcile with a supplier's statement")
async def reconcile_statement(
    db: Db,
    statements: Statements,
    supplier: Annotated[CodeText, Form(description="The name of your account with it.")],
    file: Annotated[UploadFile, File(description="CSV in UTF-8 with a head.")],
    reading: Annotated[Reading, Depends(_reading)],
    period_from: Annotated[Timestamp | None, Form()] = None,
    period_to: Annotated[Timestamp | None, Form()] = None,
    who: Caller = caller(WRITE),
) -> StatementRead:
    """Holds each line against our purchases, and our purchases of the period (that of the lines
    unless you give one) against the lines. Each difference is a case. The same file, read in the
    same way, is the same statement: it may be sent again at any time. `GET` shows the progress.
    """
    digest = await asyncio.to_thread(digest_of, supplier, reading.mark(), file.file)
    statement = Statement(
        id=new_id(),
        merchant_id=who.merchant,
        supplier=supplier,
        file_name=(file.filename or "statement.csv").replace("\x00", "")[:200],
        digest=digest,
        period_from=period_from,
        period_to=period_to,
    )
    text = io.TextIOWrapper(file.file, encoding="utf-8-sig", newline="")
    try:
        return StatementRead.from_domain(await statements.reconcile(db, statement, text, reading))
    finally:
        text.detach()


@router.get("", summary="List statements")
async def list_statements(
    db: Db,
    statements: Statements,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
) -> Page[StatementRead]:
    """The merchant's statements, newest first."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await statements.list_statements(
            tx, who.merchant, after=position[0] if position else None, limit=page.limit + 1
        )
    return page_of(found, page, read=StatementRead.from_domain, position=lambda it: [it.id])


@router.get("/{supplier_statement_id}", summary="Read a statement")
async def read_statement(
    supplier_statement_id: UUID, db: Db, statements: Statements, who: Caller = caller(READ)
) -> StatementRead:
    """How far it is read, or how it came out."""
    async with db.read() as tx:
        found = await statements.get(tx, who.merchant, supplier_statement_id)
    return StatementRead.from_domain(found)
