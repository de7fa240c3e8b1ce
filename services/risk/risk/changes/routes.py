from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from kit.db import Database
from kit.http import Caller, caller
from kit.paging import Page, PageRequest, page_of, page_request
from risk.changes.domain import ChangeKind
from risk.changes.schemas import ChangeRead
from risk.changes.service import ChangeService

router = APIRouter(tags=["changes"])


def _changes(request: Request) -> ChangeService:
    return cast(ChangeService, request.app.state.changes)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


@router.get(
    "/v1/changes",
    summary="Who switched rules, took values off lists, changed the review policy; newest first",
    description="Never rewritten. What a rule said is in its versions, each with its author.",
)
async def list_changes(
    changes: Annotated[ChangeService, Depends(_changes)],
    db: Annotated[Database, Depends(_db)],
    page: Annotated[PageRequest, Depends(page_request)],
    kind: Annotated[ChangeKind | None, Query(description="only these")] = None,
    about: Annotated[
        UUID | None, Query(description="only of this rule, entry, or merchant (its policy)")
    ] = None,
    who: Caller = caller("risk:read"),
) -> Page[ChangeRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await changes.list_changes(
            tx,
            who.merchant,
            kind=kind,
            about=about,
            before=before[0] if before else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=ChangeRead.from_domain, position=lambda change: [change.id])
