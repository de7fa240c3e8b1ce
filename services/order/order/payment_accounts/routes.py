from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.payment_accounts.schemas import (
    PaymentAccountCreate,
    PaymentAccountEdit,
    PaymentAccountRead,
)
from order.payment_accounts.service import PaymentAccounts

router = APIRouter(prefix="/v1/payment-accounts", tags=["payments"])

Paging = Annotated[PageRequest, Depends(page_request)]


@router.post("", status_code=201, response_model=PaymentAccountRead)
async def create_payment_account(
    request: Request,
    body: PaymentAccountCreate,
    run: Once = once(),
    who: Caller = caller("channels:write"),
) -> Response:
    """The merchant's own credentials with a payment provider.

    Secrets are sealed before they are written and never read back. 404 `provider_not_found`, 422
    `bad_payment_account` names the member that is wrong.
    """
    accounts = cast(PaymentAccounts, request.app.state.payment_accounts)

    async def work(tx: Transaction) -> PaymentAccountRead:
        account = await accounts.create(
            tx,
            who.merchant,
            provider=body.provider,
            name=body.name,
            settings=body.settings,
            secrets=body.secrets,
        )
        return PaymentAccountRead.from_domain(account)

    return await run(who, work)


@router.get("", response_model=Page[PaymentAccountRead])
async def list_payment_accounts(
    request: Request, page: Paging, who: Caller = caller("channels:read")
) -> Page[PaymentAccountRead]:
    """Without their secrets: only the names of those that are set."""
    accounts = cast(PaymentAccounts, request.app.state.payment_accounts)
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await accounts.list_accounts(
            tx, who.merchant, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(rows, page, read=PaymentAccountRead.from_domain, position=lambda it: [it.id])


@router.patch("/{account_id}", response_model=PaymentAccountRead)
async def edit_payment_account(
    request: Request,
    account_id: UUID,
    body: PaymentAccountEdit,
    who: Caller = caller("channels:write"),
) -> PaymentAccountRead:
    """Changes what is given. A secret is replaced whole; null removes a member."""
    accounts = cast(PaymentAccounts, request.app.state.payment_accounts)
    async with cast(Database, request.app.state.db).transaction() as tx:
        account = await accounts.edit(
            tx,
            who.merchant,
            account_id,
            name=body.name,
            settings=body.settings,
            secrets=body.secrets,
            is_active=body.active,
        )
    return PaymentAccountRead.from_domain(account)
