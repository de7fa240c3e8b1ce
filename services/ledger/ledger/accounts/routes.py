from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.clock import Clock
from kit.db import Database, Transaction
from kit.http import Caller, CurrencyCode, Once, Timestamp, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from ledger.accounts.schemas import AccountOpen, AccountRead, BalanceRead
from ledger.accounts.service import AccountService

router = APIRouter(tags=["accounts"])


def _accounts(request: Request) -> AccountService:
    return cast(AccountService, request.app.state.accounts)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _clock(request: Request) -> Clock:
    return cast(Clock, request.app.state.clock)


Accounts = Annotated[AccountService, Depends(_accounts)]
Db = Annotated[Database, Depends(_db)]
Time = Annotated[Clock, Depends(_clock)]


@router.get("/v1/accounts", summary="Accounts with their balances")
async def list_accounts(
    accounts: Accounts,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    currency: Annotated[CurrencyCode | None, Query(description="only in this one")] = None,
    parent: Annotated[
        str | None,
        Query(max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$", description="only of this group"),
    ] = None,
    who: Caller = caller("ledger:read"),
) -> Page[AccountRead]:
    after = page.after_as(UUID)
    async with db.read() as tx:
        found = await accounts.list_accounts(
            tx,
            who.merchant,
            currency=currency,
            parent=parent,
            after=after[0] if after else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=AccountRead.from_domain, position=lambda it: [it.id])


@router.post(
    "/v1/accounts",
    status_code=201,
    response_model=AccountRead,
    summary="Open an account of your own",
)
async def open_account(
    body: AccountOpen,
    accounts: Accounts,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    async def work(tx: Transaction) -> AccountRead:
        account = await accounts.open(
            tx, body.key(who.merchant), body.kind, never_overdrawn=body.never_overdrawn
        )
        return AccountRead.from_domain(account)

    return await run(who, work, location=lambda account: f"/v1/accounts/{account.id}")


@router.get("/v1/accounts/{account_id}", summary="One account with its balance")
async def get_account(
    account_id: UUID, accounts: Accounts, db: Db, who: Caller = caller("ledger:read")
) -> AccountRead:
    async with db.read() as tx:
        return AccountRead.from_domain(await accounts.get_account(tx, who.merchant, account_id))


@router.get("/v1/accounts/{account_id}/balance", summary="Its balance as of any time")
async def get_balance(
    account_id: UUID,
    accounts: Accounts,
    db: Db,
    clock: Time,
    at: Annotated[
        Timestamp | None, Query(description="with all that happened up to this moment; or now")
    ] = None,
    who: Caller = caller("ledger:read"),
) -> BalanceRead:
    moment = at or clock.now()
    async with db.read() as tx:
        found = await accounts.balance_at(tx, who.merchant, account_id, moment)
    return BalanceRead.from_domain(found, moment)
