import asyncio
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.coupons import service
from order.coupons.domain import CodeKeeper
from order.coupons.schemas import (
    BatchRead,
    CodeRead,
    CodesCreate,
    CouponCreate,
    CouponEdit,
    CouponRead,
)
from order.price_rules import service as price_rules
from order.price_rules.domain import Rule, RuleKind

router = APIRouter(prefix="/v1/coupons", tags=["prices"])

Paging = Annotated[PageRequest, Depends(page_request)]


def _keeper(request: Request) -> CodeKeeper:
    return cast(CodeKeeper, request.app.state.coupon_codes)


@router.post("", status_code=201, response_model=CouponRead)
async def create_coupon(
    request: Request,
    body: CouponCreate,
    run: Once = once(),
    who: Caller = caller("prices:write"),
) -> Response:
    """A coupon; without a `code` it is used with single-use codes: make them with `/codes`."""
    rule, keeper = body.to_domain(who.merchant), _keeper(request)

    async def work(tx: Transaction) -> CouponRead:
        return CouponRead.from_domain(await service.create(tx, keeper, rule), None)

    return await run(who, work, location=lambda made: f"/v1/coupons/{made.id}")


@router.get("", response_model=Page[CouponRead])
async def list_coupons(
    request: Request, page: Paging, who: Caller = caller("prices:read")
) -> Page[CouponRead]:
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await price_rules.list_rules(
            tx,
            who.merchant,
            RuleKind.COUPON,
            after=after[0] if after else None,
            limit=page.limit + 1,
        )
        limits = await service.find_limits(tx, [rule.id for rule in rows])

    def read(rule: Rule) -> CouponRead:
        return CouponRead.from_domain(rule, limits.get(rule.id))

    return page_of(rows, page, read=read, position=lambda rule: [rule.id])


@router.get("/{coupon_id}", response_model=CouponRead)
async def get_coupon(
    request: Request, coupon_id: UUID, who: Caller = caller("prices:read")
) -> CouponRead:
    async with cast(Database, request.app.state.db).read() as tx:
        rule = await price_rules.get(tx, who.merchant, RuleKind.COUPON, coupon_id)
        limits = await service.find_limits(tx, [rule.id])
    return CouponRead.from_domain(rule, limits.get(rule.id))


@router.patch("/{coupon_id}", response_model=CouponRead)
async def edit_coupon(
    request: Request,
    coupon_id: UUID,
    body: CouponEdit,
    who: Caller = caller("prices:write"),
) -> CouponRead:
    """Sets what is given, as the next version; 409 `limit_below_use` for a limit already passed."""
    async with cast(Database, request.app.state.db).transaction() as tx:
        rule = await service.edit(tx, who.merchant, coupon_id, body.applied)
        limits = await service.find_limits(tx, [rule.id])
    return CouponRead.from_domain(rule, limits.get(rule.id))


@router.post("/{coupon_id}/codes", status_code=201, response_model=BatchRead)
async def make_codes(
    request: Request,
    coupon_id: UUID,
    body: CodesCreate,
    run: Once = once(),
    who: Caller = caller("prices:write"),
) -> Response:
    """New single-use codes, each with a check symbol. Only their hashes are kept: read the codes
    from the batch's `/codes`.
    """
    draft, hashes = await asyncio.to_thread(
        service.draft_codes, _keeper(request), who.merchant, coupon_id, body.quantity, body.prefix
    )

    async def work(tx: Transaction) -> BatchRead:
        return BatchRead.from_domain(await service.add_codes(tx, draft, hashes))

    return await run(
        who, work, location=lambda made: f"/v1/coupons/{coupon_id}/batches/{made.id}/codes"
    )


@router.get("/{coupon_id}/batches", response_model=Page[BatchRead])
async def list_batches(
    request: Request, coupon_id: UUID, page: Paging, who: Caller = caller("prices:read")
) -> Page[BatchRead]:
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_batches(
            tx, who.merchant, coupon_id, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(rows, page, read=BatchRead.from_domain, position=lambda batch: [batch.id])


@router.get("/{coupon_id}/batches/{batch_id}/codes", response_model=Page[CodeRead])
async def list_codes(
    request: Request,
    coupon_id: UUID,
    batch_id: UUID,
    page: Paging,
    who: Caller = caller("prices:write"),
) -> Page[CodeRead]:
    """The codes of a batch, to be handed to buyers. Asks for the scope that could make new ones."""
    after = page.after_as(int)
    start = min(max(after[0] + 1, 0), 2**31) if after else 0
    async with cast(Database, request.app.state.db).read() as tx:
        batch = await service.get_batch(tx, who.merchant, coupon_id, batch_id)
    keeper, end = _keeper(request), min(batch.quantity, start + page.limit + 1)
    rows = [(number, keeper.code(batch, number)) for number in range(start, end)]
    return page_of(
        rows,
        page,
        read=lambda row: CodeRead(number=row[0], code=row[1]),
        position=lambda row: [row[0]],
    )
