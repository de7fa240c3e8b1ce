"""A merchant's partners and what they have paid it in advance."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from kit.clock import Clock
from kit.db import Database, Transaction
from kit.http import Caller, CodeText, CurrencyCode, Once, caller, once
from kit.ids import new_id
from kit.paging import Page, PageRequest, page_of, page_request
from ledger.prepaid.domain import Hold, HoldState
from ledger.prepaid.schemas import (
    HoldCapture,
    HoldCreate,
    HoldRead,
    PartnerPut,
    PartnerRead,
    TopUpCreate,
)
from ledger.prepaid.service import PrepaidService

router = APIRouter(prefix="/v1/prepaid", tags=["prepaid"])


def _prepaid(request: Request) -> PrepaidService:
    return cast(PrepaidService, request.app.state.prepaid)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _clock(request: Request) -> Clock:
    return cast(Clock, request.app.state.clock)


Prepaid = Annotated[PrepaidService, Depends(_prepaid)]
Db = Annotated[Database, Depends(_db)]
Time = Annotated[Clock, Depends(_clock)]
Code = Annotated[CodeText, Path(description="the merchant's name for the partner")]


@router.put("/{partner}", summary="Open a partner's balance, or set its credit limit")
async def put_prepaid_partner(
    partner: Code, body: PartnerPut, prepaid: Prepaid, db: Db, who: Caller = caller("ledger:write")
) -> PartnerRead:
    """409 `credit_limit_too_low` when more is used already."""
    async with db.transaction() as tx:
        found = await prepaid.put_partner(
            tx, who.merchant, partner, body.currency, body.credit_limit
        )
    return PartnerRead.from_domain(found)


@router.get("", summary="Partners with their balances")
async def list_prepaid_partners(
    prepaid: Prepaid,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    who: Caller = caller("ledger:read"),
) -> Page[PartnerRead]:
    after = page.after_as(str, str)
    async with db.read() as tx:
        found = await prepaid.list_partners(
            tx,
            who.merchant,
            after=(after[0], after[1]) if after else ("", ""),
            limit=page.limit + 1,
        )
    return page_of(
        found, page, read=PartnerRead.from_domain, position=lambda it: [it.code, it.currency]
    )


@router.get("/{partner}", summary="One partner's balance")
async def get_prepaid_partner(
    partner: Code,
    prepaid: Prepaid,
    db: Db,
    currency: Annotated[CurrencyCode, Query()] = "CNY",
    who: Caller = caller("ledger:read"),
) -> PartnerRead:
    async with db.read() as tx:
        found = await prepaid.get_partner(tx, who.merchant, partner, currency)
        return PartnerRead.from_domain(found)


@router.post(
    "/{partner}/top-ups",
    status_code=201,
    response_model=PartnerRead,
    summary="The partner paid in advance",
)
async def top_up_prepaid(
    partner: Code,
    body: TopUpCreate,
    prepaid: Prepaid,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    """Once per reference; then 409 `already_posted`."""

    async def work(tx: Transaction) -> PartnerRead:
        found = await prepaid.top_up(
            tx, who.merchant, partner, body.currency, body.amount, body.reference
        )
        return PartnerRead.from_domain(found)

    return await run(who, work)


@router.post(
    "/{partner}/holds",
    status_code=201,
    response_model=HoldRead,
    summary="Keep money for an order",
)
async def hold_prepaid(
    partner: Code,
    body: HoldCreate,
    prepaid: Prepaid,
    clock: Time,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    """Never more than balance and credit limit have: 409 `prepaid_too_low`. It stays until it is
    captured or released, or expires.
    """
    hold = Hold(
        id=new_id(),
        merchant_id=who.merchant,
        partner=partner,
        currency=body.currency,
        channel_id=body.channel_id,
        order_id=body.order_id,
        reference=body.reference,
        amount_minor=body.amount,
        captured_minor=0,
        state=HoldState.HELD,
        created_at=clock.now(),
    )

    async def work(tx: Transaction) -> HoldRead:
        return HoldRead.from_domain(await prepaid.hold(tx, hold))

    return await run(who, work, location=lambda made: f"/v1/prepaid/{partner}/holds/{made.id}")


@router.get("/{partner}/holds/{hold_id}", summary="One hold")
async def get_prepaid_hold(
    partner: Code, hold_id: UUID, prepaid: Prepaid, db: Db, who: Caller = caller("ledger:read")
) -> HoldRead:
    async with db.read() as tx:
        return HoldRead.from_domain(await prepaid.get_hold(tx, who.merchant, partner, hold_id))


@router.post(
    "/{partner}/holds/{hold_id}/capture", response_model=HoldRead, summary="Take what is held"
)
async def capture_prepaid_hold(
    partner: Code,
    hold_id: UUID,
    body: HoldCapture,
    prepaid: Prepaid,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    """All of it or less; the same again changes nothing."""

    async def work(tx: Transaction) -> HoldRead:
        hold = await prepaid.capture(tx, who.merchant, partner, hold_id, body.amount)
        return HoldRead.from_domain(hold)

    return await run(who, work, status=200)


@router.post(
    "/{partner}/holds/{hold_id}/release", response_model=HoldRead, summary="Give free what is held"
)
async def release_prepaid_hold(
    partner: Code,
    hold_id: UUID,
    prepaid: Prepaid,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    async def work(tx: Transaction) -> HoldRead:
        return HoldRead.from_domain(await prepaid.release(tx, who.merchant, partner, hold_id))

    return await run(who, work, status=200)
