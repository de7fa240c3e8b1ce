"""Bought codes for operators: where they are, and where those belong that came without a pool."""

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from fulfillment.arrivals.schemas import ArrivalPlace, ArrivalRead, State
from fulfillment.arrivals.service import ArrivalService
from kit.db import Database
from kit.http import Caller, caller
from kit.paging import BadCursor, Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/arrivals", tags=["procurement"])
READ = "suppliers:read"
WRITE = "suppliers:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _arrivals(request: Request) -> ArrivalService:
    return cast(ArrivalService, request.app.state.arrivals)


Db = Annotated[Database, Depends(_db)]
Arrivals = Annotated[ArrivalService, Depends(_arrivals)]


@router.get("", summary="List bought codes")
async def list_arrivals(
    db: Db,
    arrivals: Arrivals,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    without_pool: Annotated[
        bool | None, Query(description="`true`: only those that wait for a pool to be named.")
    ] = None,
) -> Page[ArrivalRead]:
    """The lots that bought codes become, newest first."""
    async with db.read() as tx:
        found = await arrivals.list_arrivals(
            tx,
            who.merchant,
            state=state,
            is_homeless=without_pool,
            after=_after(page),
            limit=page.limit + 1,
        )
    return page_of(
        found, page, read=ArrivalRead.from_domain, position=lambda it: [it.created_at, it.id]
    )


def _after(page: PageRequest) -> tuple[datetime, UUID] | None:
    after = page.after_as(_moment, UUID)
    return (after[0], after[1]) if after else None


def _moment(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise BadCursor
    return moment


@router.get("/{arrival_id}", summary="Read bought codes")
async def read_arrival(
    arrival_id: UUID, db: Db, arrivals: Arrivals, who: Caller = caller(READ)
) -> ArrivalRead:
    async with db.read() as tx:
        return ArrivalRead.from_domain(await arrivals.get(tx, who.merchant, arrival_id))


@router.put("/{arrival_id}/pool", summary="Name the pool of bought codes")
async def place_arrival(
    arrival_id: UUID,
    body: ArrivalPlace,
    db: Db,
    arrivals: Arrivals,
    who: Caller = caller(WRITE),
) -> ArrivalRead:
    """Brings codes into stock that came without a pool: for a top-up, or late. Also those that the
    vault has refused as a whole, for a reason of the pool they were meant for. The case about them
    is closed; the same pool again changes nothing.
    """
    placed = await arrivals.place(db, who.merchant, arrival_id, body.pool_id, who.id)
    return ArrivalRead.from_domain(placed)
