"""The operators' queue."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from fulfillment.manual_tasks.schemas import (
    ManualTaskComplete,
    ManualTaskFail,
    ManualTaskRead,
    State,
)
from fulfillment.manual_tasks.service import ManualTaskService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/manual-tasks", tags=["manual tasks"])
READ = "deliveries:read"
WRITE = "deliveries:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _manual_tasks(request: Request) -> ManualTaskService:
    return cast(ManualTaskService, request.app.state.manual_tasks)


Db = Annotated[Database, Depends(_db)]
ManualTasks = Annotated[ManualTaskService, Depends(_manual_tasks)]


@router.get("", summary="List what waits for a person")
async def list_manual_tasks(
    db: Db,
    manual_tasks: ManualTasks,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    state: Annotated[State | None, Query(description="`open`: what is still to be done.")] = None,
    queue: Annotated[str | None, Query(max_length=120, description="Only this queue.")] = None,
) -> Page[ManualTaskRead]:
    """Lines that people deliver, and purchases of which no supplier can tell what became."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await manual_tasks.list_tasks(
            tx,
            who.merchant,
            state=state,
            queue=queue,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=ManualTaskRead.from_domain, position=lambda it: [it.id])


@router.get("/{manual_task_id}", summary="Read a task with what the buyer entered")
async def read_manual_task(
    manual_task_id: UUID, db: Db, manual_tasks: ManualTasks, who: Caller = caller(WRITE)
) -> ManualTaskRead:
    """Whole, and therefore logged: who read it, and when."""
    async with db.transaction() as tx:
        task = await manual_tasks.read(tx, who.merchant, manual_task_id, who.id)
    return ManualTaskRead.whole(task)


@router.post(
    "/{manual_task_id}/complete",
    status_code=200,
    response_model=ManualTaskRead,
    summary="It is done",
)
async def complete_manual_task(
    manual_task_id: UUID,
    body: ManualTaskComplete,
    manual_tasks: ManualTasks,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """The line counts as delivered; the buyer's page shows the result."""

    async def work(tx: Transaction) -> ManualTaskRead:
        cost = body.cost.to_domain() if body.cost else None
        done = await manual_tasks.complete(
            tx, who.merchant, manual_task_id, who.id, result=body.result, cost=cost
        )
        return ManualTaskRead.from_domain(done)

    return await run(who, work, status=200)


@router.post(
    "/{manual_task_id}/fail",
    status_code=200,
    response_model=ManualTaskRead,
    summary="It is definitely not done",
)
async def fail_manual_task(
    manual_task_id: UUID,
    body: ManualTaskFail,
    manual_tasks: ManualTasks,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """The line has failed for certain, and its money goes back."""

    async def work(tx: Transaction) -> ManualTaskRead:
        failed = await manual_tasks.fail(
            tx, who.merchant, manual_task_id, who.id, reason=body.reason
        )
        return ManualTaskRead.from_domain(failed)

    return await run(who, work, status=200)
