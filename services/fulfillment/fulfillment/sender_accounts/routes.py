"""Merchants' own senders, for operators."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from fulfillment.sender_accounts.schemas import SenderChange, SenderCreate, SenderRead
from fulfillment.sender_accounts.service import SenderAccountService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/senders", tags=["senders"])
READ = "messages:read"
WRITE = "messages:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _senders(request: Request) -> SenderAccountService:
    return cast(SenderAccountService, request.app.state.sender_accounts)


Db = Annotated[Database, Depends(_db)]
Senders = Annotated[SenderAccountService, Depends(_senders)]


@router.post("", status_code=201, response_model=SenderRead, summary="Set up a sender")
async def create_sender(
    body: SenderCreate, senders: Senders, run: Once = once(), who: Caller = caller(WRITE)
) -> Response:
    """Mails or SMS of yours go out by it from now on. One of each channel may be enabled."""

    async def work(tx: Transaction) -> SenderRead:
        made = await senders.create(
            tx, who.merchant, body.sender, body.settings, body.secret.get_secret_value()
        )
        return SenderRead.from_domain(made)

    return await run(who, work, location=lambda made: f"/v1/senders/{made.id}")


@router.get("", summary="List senders")
async def list_senders(
    db: Db,
    senders: Senders,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
) -> Page[SenderRead]:
    """Your own, newest first."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await senders.list_senders(
            tx, who.merchant, after=position[0] if position else None, limit=page.limit + 1
        )
    return page_of(found, page, read=SenderRead.from_domain, position=lambda it: [it.id])


@router.get("/{sender_id}", summary="Read a sender")
async def read_sender(
    sender_id: UUID, db: Db, senders: Senders, who: Caller = caller(READ)
) -> SenderRead:
    async with db.read() as tx:
        return SenderRead.from_domain(await senders.get(tx, who.merchant, sender_id))


@router.patch("/{sender_id}", summary="Change a sender")
async def change_sender(
    sender_id: UUID,
    body: SenderChange,
    db: Db,
    senders: Senders,
    who: Caller = caller(WRITE),
) -> SenderRead:
    """Other settings, another secret, or switched off or on."""
    async with db.transaction() as tx:
        changed = await senders.change(
            tx,
            who.merchant,
            sender_id,
            settings=body.settings,
            secret=body.secret.get_secret_value() if body.secret else None,
            is_enabled=body.is_enabled,
        )
    return SenderRead.from_domain(changed)
