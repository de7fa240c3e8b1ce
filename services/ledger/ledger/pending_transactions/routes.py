from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.clock import Clock
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from ledger.pending_transactions.domain import PendingState
from ledger.pending_transactions.schemas import PendingPost, PendingRead, PendingVoid
from ledger.pending_transactions.service import PendingService
from ledger.transactions.schemas import TransactionPost, TransactionRead

router = APIRouter(tags=["pending transactions"])


def _pending(request: Request) -> PendingService:
    return cast(PendingService, request.app.state.pending)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _clock(request: Request) -> Clock:
    return cast(Clock, request.app.state.clock)


Pending = Annotated[PendingService, Depends(_pending)]
Db = Annotated[Database, Depends(_db)]
Time = Annotated[Clock, Depends(_clock)]


@router.get("/v1/pending-transactions", summary="Pending transactions, newest first")
async def list_pending(
    pending: Pending,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    state: Annotated[PendingState | None, Query(description="only those in this one")] = None,
    who: Caller = caller("ledger:read"),
) -> Page[PendingRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await pending.list_pending(
            tx,
            who.merchant,
            state=state,
            before=before[0] if before else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=PendingRead.from_domain, position=lambda it: [it.id])


@router.post(
    "/v1/pending-transactions",
    status_code=201,
    response_model=PendingRead,
    summary="Reserve what a transaction will move",
    description="It counts once it is posted. An account that is never overdrawn has so much less "
    "available: 409 `account_overdrawn` when that is not there.",
)
async def reserve(
    body: TransactionPost,
    pending: Pending,
    clock: Time,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    draft = body.to_domain(who.merchant, clock.now())

    async def work(tx: Transaction) -> PendingRead:
        return PendingRead.from_domain(await pending.reserve_by_hand(tx, draft))

    return await run(who, work, location=lambda it: f"/v1/pending-transactions/{it.id}")


@router.get("/v1/pending-transactions/{pending_id}", summary="One pending transaction")
async def get_pending(
    pending_id: UUID, pending: Pending, db: Db, who: Caller = caller("ledger:read")
) -> PendingRead:
    async with db.read() as tx:
        return PendingRead.from_domain(await pending.get(tx, who.merchant, pending_id))


@router.post(
    "/v1/pending-transactions/{pending_id}/post",
    status_code=201,
    response_model=TransactionRead,
    summary="Post it, as it is or with what was used of it",
    description="Once: then 409 `pending_transaction_resolved`.",
)
async def post_pending(
    pending_id: UUID,
    body: PendingPost,
    pending: Pending,
    clock: Time,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    given = None if body.postings is None else [it.to_domain() for it in body.postings]

    async def work(tx: Transaction) -> TransactionRead:
        posted = await pending.post(
            tx, who.merchant, pending_id, at=body.at or clock.now(), postings=given
        )
        return TransactionRead.from_domain(posted)

    return await run(who, work, location=lambda posted: f"/v1/transactions/{posted.id}")


@router.post(
    "/v1/pending-transactions/{pending_id}/void",
    status_code=201,
    response_model=PendingRead,
    summary="Free what it reserved",
    description="Once: then 409 `pending_transaction_resolved`.",
)
async def void_pending(
    pending_id: UUID,
    body: PendingVoid,
    pending: Pending,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    async def work(tx: Transaction) -> PendingRead:
        voided = await pending.void(tx, who.merchant, pending_id, reason=body.reason)
        return PendingRead.from_domain(voided)

    return await run(who, work)
