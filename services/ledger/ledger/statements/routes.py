import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from kit.db import Database
from kit.http import Caller, CurrencyCode, caller
from kit.paging import PageRequest, page_of, page_request
from ledger.access import merchant_seen_by
from ledger.statement_pdf import PDF_LINES_MAX, statement_pdf
from ledger.statements.domain import Statement
from ledger.statements.schemas import StatementLineRead, StatementRead, csv_head, csv_of
from ledger.statements.service import StatementService

router = APIRouter(prefix="/v1/statements", tags=["statements"])
_FILES: dict[int | str, dict[str, Any]] = {  # FastAPI's own type
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
        }
    }
}


def _statements(request: Request) -> StatementService:
    return cast(StatementService, request.app.state.statements)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Statements = Annotated[StatementService, Depends(_statements)]
Db = Annotated[Database, Depends(_db)]


@router.get(
    "/{merchant_id}",
    response_model=StatementRead,
    responses=_FILES,
    summary="A merchant's statement, as JSON, CSV or PDF",
)
async def get_statement(
    merchant_id: UUID,
    statements: Statements,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    currency: Annotated[CurrencyCode, Query(description="of the last closed settlement")] = "CNY",
    settlement_id: Annotated[UUID | None, Query(description="of this settlement")] = None,
    format_: Annotated[
        Literal["json", "csv", "pdf"], Query(alias="format", description="pages are JSON's alone")
    ] = "json",
    who: Caller = caller("ledger:read"),
) -> Response | StatementRead:
    """Opening balance and lines are the closing balance, and every line is a posting of the
    account. A PDF shows at most 2,000 lines, a CSV all.
    """
    seen = merchant_seen_by(who, merchant_id) or merchant_id
    async with db.read() as tx:
        statement = await statements.get_statement(tx, seen, currency, settlement_id)
    match format_:
        case "csv":
            return _csv(statements, db, statement)
        case "pdf":
            return await _pdf(statements, db, statement)
        case _:
            return await _json(statements, db, statement, page)


async def _json(
    statements: StatementService, db: Database, statement: Statement, page: PageRequest
) -> StatementRead:
    after = page.after_as(int)
    async with db.read() as tx:
        lines = await statements.list_lines(
            tx, statement, after=after[0] if after else 0, limit=page.limit + 1
        )
    found = page_of(
        lines, page, read=StatementLineRead.from_domain, position=lambda it: [it.position]
    )
    return StatementRead.from_domain(statement, found.items, found.next_cursor)


def _csv(statements: StatementService, db: Database, statement: Statement) -> Response:
    async def rows() -> AsyncIterator[str]:
        yield csv_head(statement)
        async for lines in statements.lines(db, statement):
            yield csv_of(lines, statement.settlement.currency)

    return StreamingResponse(
        rows(), media_type="text/csv; charset=utf-8", headers=_named(statement, "csv")
    )


async def _pdf(statements: StatementService, db: Database, statement: Statement) -> Response:
    lines = [
        line
        async for page in statements.lines(db, statement, lines_max=PDF_LINES_MAX)
        for line in page
    ]
    # Seconds of arithmetic for a long one: other calls go on meanwhile.
    document = await asyncio.to_thread(statement_pdf, statement, lines)
    return Response(document, media_type="application/pdf", headers=_named(statement, "pdf"))


def _named(statement: Statement, ending: str) -> dict[str, str]:
    name = f"statement-{statement.settlement.id}.{ending}"
    return {"Content-Disposition": f'attachment; filename="{name}"'}
