import asyncio
import codecs
import io
from typing import Annotated, BinaryIO, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile

from kit.db import Database
from kit.http import Caller, CodeText, CurrencyCode, Timestamp, caller
from kit.ids import new_id
from kit.money import digits_of
from kit.paging import Page, PageRequest, page_of, page_request
from kit.statement_files import digest_of, pieces_of
from ledger.reconciliations.domain import (
    MatchBy,
    Reading,
    Reconciliation,
    Source,
    SourceUnclear,
)
from ledger.reconciliations.schemas import ReconciliationRead
from ledger.reconciliations.service import ReconciliationService

PATH = "/v1/reconciliations"
BODY_BYTES_MAX = 128 * 1024 * 1024
router = APIRouter(tags=["reconciliation"])
ASCII, UTF_8, GB18030 = "ascii", "utf-8", "gb18030"
_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


def _reconciliations(request: Request) -> ReconciliationService:
    return cast(ReconciliationService, request.app.state.reconciliations)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Service = Annotated[ReconciliationService, Depends(_reconciliations)]
Db = Annotated[Database, Depends(_db)]
Paging = Annotated[PageRequest, Depends(page_request)]
Title = Annotated[str, Form(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _reading(
    currency: Annotated[CurrencyCode, Form(description="Of lines that name none.")],
    reference: Title = "reference",
    amount: Title = "amount",
    time: Title = "",
    currency_column: Title = "",
    decimals: Annotated[
        int | None, Form(ge=0, le=4, description="Of its amounts; else those of their currency.")
    ] = None,
    separator: Annotated[Literal["comma", "semicolon", "tab", "pipe"], Form()] = "comma",
    match_by: Annotated[
        MatchBy, Form(description="What the reference is: the payment's, or the order's.")
    ] = MatchBy.PAYMENT,
) -> Reading:
    """Which column is what, by the names in the head."""
    by_currency = decimals is None
    shown = digits_of(currency) if decimals is None else decimals
    return Reading(
        reference, amount, time, currency_column, currency, shown, _SEPARATORS[separator],
        match_by, by_currency,
    )  # fmt: skip


@router.post(PATH, status_code=201, summary="Reconcile with a statement")
async def reconcile(
    db: Db,
    service: Service,
    file: Annotated[UploadFile, File(description="CSV; the head may stand in the first 50 rows.")],
    reading: Annotated[Reading, Depends(_reading)],
    channel_id: Annotated[UUID | None, Form(description="A channel's statement.")] = None,
    provider: Annotated[CodeText | None, Form(description="A payment provider's.")] = None,
    encoding: Annotated[Literal["utf-8", "gb18030", "utf-16"] | None, Form()] = None,
    period_from: Annotated[Timestamp | None, Form()] = None,
    period_to: Annotated[Timestamp | None, Form()] = None,
    who: Caller = caller("ledger:write"),
) -> ReconciliationRead:
    """Holds each line against the payments the ledger was told of, and those of the period (that of
    the lines unless you give one) against the lines. Each difference is a case. The same file, read
    in the same way, is the same statement and may be sent again at any time. `GET` shows how far
    it is. Without `encoding`, UTF-8 and GB18030 are told apart.
    """
    if (channel_id is None) == (provider is None):
        raise SourceUnclear
    source = Source(channel_id, provider or "")
    found = await asyncio.to_thread(_codec, file.file)
    codec: str = encoding or (UTF_8 if found == ASCII else found)
    mark = reading.mark() + _against(found, codec)
    digest = await asyncio.to_thread(digest_of, source.name, mark, file.file)
    if codec == UTF_8:
        codec = "utf-8-sig"  # a mark before a quoted head would be part of its first title
    one = Reconciliation(
        id=new_id(),
        merchant_id=who.merchant,
        source=source,
        match_by=reading.match_by,
        file_name=(file.filename or "statement.csv").replace("\x00", "")[:200],
        digest=digest,
        period_from=period_from,
        period_to=period_to,
    )
    text = io.TextIOWrapper(file.file, encoding=codec, newline="")
    try:
        return ReconciliationRead.from_domain(await service.reconcile(db, one, text, reading))
    finally:
        text.detach()


@router.get(PATH, summary="Statements, newest first")
async def list_reconciliations(
    db: Db, service: Service, page: Paging, who: Caller = caller("ledger:read")
) -> Page[ReconciliationRead]:
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await service.list_them(
            tx, who.merchant, before=position[0] if position else None, limit=page.limit + 1
        )
    return page_of(found, page, read=ReconciliationRead.from_domain, position=lambda it: [it.id])


@router.get(PATH + "/{reconciliation_id}", summary="One statement: how far, how it came out")
async def get_reconciliation(
    reconciliation_id: UUID, db: Db, service: Service, who: Caller = caller("ledger:read")
) -> ReconciliationRead:
    async with db.read() as tx:
        found = await service.get(tx, who.merchant, reconciliation_id)
    return ReconciliationRead.from_domain(found)


def _codec(file: BinaryIO) -> str:
    """ASCII (read alike as UTF-8 and GB18030), or UTF-8 if the whole file is that, else GB18030."""
    decoder, is_ascii = codecs.getincrementaldecoder(UTF_8)(), True
    try:
        for piece in pieces_of(file):
            is_ascii = is_ascii and piece.isascii()
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return GB18030
    finally:
        file.seek(0)
    return ASCII if is_ascii else UTF_8


def _against(found: str, codec: str) -> bytes:
    """Goes into the digest of a file that is read in another encoding than it seems to be in: its
    references read otherwise. In UTF-16 no other file has the columns of the head, and no file in
    UTF-16 has them in another.
    """
    is_other = {found, codec} == {UTF_8, GB18030}
    return b"in " + codec.encode() if is_other else b""
