from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.clock import Clock
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from ledger.transactions.schemas import TransactionPost, TransactionRead, TransactionReverse
from ledger.transactions.service import TransactionService

router = APIRouter(tags=["transactions"])


def _transactions(request: Request) -> TransactionService:
    return cast(TransactionService, request.app.state.transactions)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _clock(request: Request) -> Clock:
    return cast(Clock, request.app.state.clock)


Transactions = Annotated[TransactionService, Depends(_transactions)]
Db = Annotated[Database, Depends(_db)]
Time = Annotated[Clock, Depends(_clock)]


@router.get("/v1/transactions", summary="Transactions with their postings, newest first")
async def list_transactions(
    transactions: Transactions,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    order_id: Annotated[UUID | None, Query(description="only those about this order")] = None,
    who: Caller = caller("ledger:read"),
) -> Page[TransactionRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await transactions.list_transactions(
            tx,
            who.merchant,
            order_id=order_id,
            before=before[0] if before else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=TransactionRead.from_domain, position=lambda it: [it.id])


@router.post(
    "/v1/transactions",
    status_code=201,
    response_model=TransactionRead,
    summary="Post a transaction by hand",
    description="Open the accounts first. 422 `unbalanced` names the difference per currency.",
)
async def post_transaction(
    body: TransactionPost,
    transactions: Transactions,
    clock: Time,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    draft = body.to_domain(who.merchant, clock.now())

    async def work(tx: Transaction) -> TransactionRead:
        return TransactionRead.from_domain(await transactions.post_by_hand(tx, draft))

    return await run(who, work, location=lambda posted: f"/v1/transactions/{posted.id}")


@router.get("/v1/transactions/{transaction_id}", summary="One transaction")
async def get_transaction(
    transaction_id: UUID, transactions: Transactions, db: Db, who: Caller = caller("ledger:read")
) -> TransactionRead:
    async with db.read() as tx:
        found = await transactions.get_transaction(tx, who.merchant, transaction_id)
        return TransactionRead.from_domain(found)


@router.post(
    "/v1/transactions/{transaction_id}/reverse",
    status_code=201,
    response_model=TransactionRead,
    summary="Undo a transaction by its opposite",
    description="Once: a second reversal is refused with 409 `already_reversed`.",
)
async def reverse_transaction(
    transaction_id: UUID,
    body: TransactionReverse,
    transactions: Transactions,
    clock: Time,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    async def work(tx: Transaction) -> TransactionRead:
        reversal = await transactions.reverse(
            tx, who.merchant, transaction_id, at=clock.now(), description=body.description
        )
        return TransactionRead.from_domain(reversal)

    return await run(who, work, location=lambda posted: f"/v1/transactions/{posted.id}")
