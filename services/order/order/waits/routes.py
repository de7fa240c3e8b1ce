from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.orders.domain import Order
from order.waits.domain import Action, WaitKind
from order.waits.schemas import WaitAct, WaitActed, WaitForce, WaitRead
from order.waits.service import WaitService

router = APIRouter(prefix="/v1/waits", tags=["waits"])

AGE_SECONDS_MAX = 366 * 86_400

Paging = Annotated[PageRequest, Depends(page_request)]
Act = Callable[[Transaction, UUID, UUID, Action], Awaitable[Order]]


def _waits(request: Request) -> WaitService:
    return cast(WaitService, request.app.state.waits)


Waits = Annotated[WaitService, Depends(_waits)]


@router.get("", response_model=Page[WaitRead])
async def list_waits(
    request: Request,
    waits: Waits,
    page: Paging,
    kind: Annotated[WaitKind | None, Query()] = None,
    min_age_seconds: Annotated[int, Query(ge=0, le=AGE_SECONDS_MAX)] = 0,
    who: Caller = caller("steps:read"),
) -> Page[WaitRead]:
    """What waits, for what, and since when; the oldest first."""
    after = page.after_as(datetime.fromisoformat, UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        found = await waits.list_waits(
            tx,
            who.merchant,
            kind=kind.value if kind else None,
            age=timedelta(seconds=min_age_seconds),
            after=(after[0], after[1]) if after else None,
            limit=page.limit + 1,
        )
    return page_of(
        found,
        page,
        read=WaitRead.from_domain,
        position=lambda wait: [wait.since.isoformat(), wait.id],
    )


@router.post("/{wait_id}/retry", response_model=WaitActed)
async def retry_wait(
    waits: Waits,
    wait_id: UUID,
    body: WaitAct,
    run: Once = once(),
    who: Caller = caller("steps:write"),
) -> Response:
    """Asks again now, by the same reference; 409 `wait_action_not_possible` says what is possible.

    A line that fulfilment is silent about is asked for again: known there, it changes nothing.
    """
    action = Action(body.reason, f"{who.kind}:{who.id}")
    return await _act(run, who, wait_id, waits.retry, action)


@router.post("/{wait_id}/skip", response_model=WaitActed)
async def skip_wait(
    waits: Waits,
    wait_id: UUID,
    body: WaitForce,
    run: Once = once(),
    who: Caller = caller("steps:write"),
) -> Response:
    """Gives an outside call up: the order goes on as if it had definitely failed.

    A payment that was begun counts as not paid; money that is told of later still counts.

    409 `outcome_unknown` when it may have happened, unless `force`.
    """
    return await _act(run, who, wait_id, waits.skip, _forced(body, who))


@router.post("/{wait_id}/refund", response_model=WaitActed)
async def refund_wait(
    waits: Waits,
    wait_id: UUID,
    body: WaitForce,
    run: Once = once(),
    who: Caller = caller("steps:write"),
) -> Response:
    """Gives the money back instead of waiting: of the line, or of an order under review.

    409 `outcome_unknown` when it may still be delivered, unless `force`.
    """
    return await _act(run, who, wait_id, waits.refund, _forced(body, who))


@router.post("/{wait_id}/settle", response_model=WaitActed)
async def settle_wait(
    waits: Waits,
    wait_id: UUID,
    body: WaitAct,
    run: Once = once(),
    who: Caller = caller("steps:write"),
) -> Response:
    """Records that the money of a refund which its provider refused went back in another way.

    Nothing is sent. Needs the scope `refunds:write` as well.
    """
    who.require("refunds:write")
    action = Action(body.reason, f"{who.kind}:{who.id}")
    return await _act(run, who, wait_id, waits.settle, action)


def _forced(body: WaitForce, who: Caller) -> Action:
    if body.force:
        who.require("refunds:write")
    return Action(body.reason, f"{who.kind}:{who.id}", body.force)


async def _act(run: Once, who: Caller, wait_id: UUID, act: Act, action: Action) -> Response:
    async def work(tx: Transaction) -> WaitActed:
        return WaitActed.from_domain(wait_id, await act(tx, who.merchant, wait_id, action))

    return await run(who, work, status=200)
