"""Merchants' own systems that deliver lines, for operators."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from fulfillment.fulfillers.schemas import FulfillerChange, FulfillerCreate, FulfillerRead
from fulfillment.fulfillers.service import FulfillerService
from fulfillment.webhook_signatures import SigningKey
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once, with_secret
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/fulfillers", tags=["fulfillers"])
READ = "suppliers:read"
WRITE = "suppliers:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _fulfillers(request: Request) -> FulfillerService:
    return cast(FulfillerService, request.app.state.fulfillers)


Db = Annotated[Database, Depends(_db)]
Fulfillers = Annotated[FulfillerService, Depends(_fulfillers)]


@router.post("", status_code=201, response_model=FulfillerRead, summary="Set up a fulfiller")
async def create_fulfiller(
    body: FulfillerCreate, fulfillers: Fulfillers, run: Once = once(), who: Caller = caller(WRITE)
) -> Response:
    """Your own system, for products of kind `manual` to name. The answer is the only place its
    secret ever appears in.
    """
    made: list[SigningKey] = []

    async def work(tx: Transaction) -> FulfillerRead:
        fulfiller, key = await fulfillers.create(tx, body.to_domain(who.merchant))
        made.append(key)
        return FulfillerRead.from_domain(fulfiller)

    answer = await run(who, work, location=lambda it: f"/v1/fulfillers/{it.id}")
    return with_secret(answer, secret=made[0].secret_text) if made else answer


@router.get("", summary="List fulfillers")
async def list_fulfillers(
    db: Db,
    fulfillers: Fulfillers,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
) -> Page[FulfillerRead]:
    """The merchant's fulfillers, newest first."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await fulfillers.list_fulfillers(
            tx, who.merchant, after=position[0] if position else None, limit=page.limit + 1
        )
    return page_of(found, page, read=FulfillerRead.from_domain, position=lambda it: [it.id])


@router.get("/{fulfiller_id}", summary="Read a fulfiller")
async def read_fulfiller(
    fulfiller_id: UUID, db: Db, fulfillers: Fulfillers, who: Caller = caller(READ)
) -> FulfillerRead:
    async with db.read() as tx:
        return FulfillerRead.from_domain(await fulfillers.get(tx, who.merchant, fulfiller_id))


@router.patch("/{fulfiller_id}", summary="Change a fulfiller")
async def change_fulfiller(
    fulfiller_id: UUID,
    body: FulfillerChange,
    db: Db,
    fulfillers: Fulfillers,
    who: Caller = caller(WRITE),
) -> FulfillerRead:
    """Another address, other times, or a pause."""
    async with db.transaction() as tx:
        changed = await fulfillers.change(tx, who.merchant, fulfiller_id, body.values())
    return FulfillerRead.from_domain(changed)


@router.post(
    "/{fulfiller_id}/keys",
    status_code=201,
    response_model=FulfillerRead,
    summary="Replace the key of a fulfiller",
)
async def rotate_fulfiller_key(
    fulfiller_id: UUID,
    fulfillers: Fulfillers,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """At once: a call that your system refuses meanwhile is made again under the same id."""
    made: list[SigningKey] = []

    async def work(tx: Transaction) -> FulfillerRead:
        fulfiller, key = await fulfillers.rotate(tx, who.merchant, fulfiller_id)
        made.append(key)
        return FulfillerRead.from_domain(fulfiller)

    answer = await run(who, work)
    return with_secret(answer, secret=made[0].secret_text) if made else answer
