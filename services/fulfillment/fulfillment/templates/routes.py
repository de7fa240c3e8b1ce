"""Templates for operators."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from fulfillment.templates.schemas import DraftModel, PlacedDraft, PreviewRead, TemplateRead
from fulfillment.templates.service import TemplateService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/templates", tags=["templates"])
READ = "templates:read"
WRITE = "templates:write"
_NEWEST = 2**31 - 1


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _templates(request: Request) -> TemplateService:
    return cast(TemplateService, request.app.state.templates)


Db = Annotated[Database, Depends(_db)]
Templates = Annotated[TemplateService, Depends(_templates)]
PurposeName = Annotated[
    str | None,
    Query(max_length=64, pattern=r"^[A-Za-z0-9._\-]+$", description="Only those of this purpose."),
]


@router.post("", status_code=201, response_model=TemplateRead, summary="Write a template")
async def create_template(
    body: PlacedDraft, templates: Templates, run: Once = once(), who: Caller = caller(WRITE)
) -> Response:
    """Used from now on where it fits. What it must not hold is refused with its place."""

    async def work(tx: Transaction) -> TemplateRead:
        made = await templates.create(tx, who.merchant, body.to_place(), body.to_draft(), who.id)
        return TemplateRead.from_domain(made)

    return await run(who, work, location=lambda made: f"/v1/templates/{made.id}")


@router.post("/preview", summary="Preview a template")
async def preview_template(
    body: PlacedDraft, templates: Templates, who: Caller = caller(READ)
) -> PreviewRead:
    """Nothing is stored or sent."""
    return PreviewRead.from_domain(templates.preview(body.to_place(), body.to_draft()))


@router.get("", summary="List templates")
async def list_templates(
    db: Db,
    templates: Templates,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    purpose: PurposeName = None,
) -> Page[TemplateRead]:
    """Your own in the version in use, newest first. Elsewhere a built-in text is used."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await templates.list_templates(
            tx,
            who.merchant,
            purpose=purpose,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=TemplateRead.from_domain, position=lambda it: [it.id])


@router.get("/{template_id}", summary="Read a template")
async def read_template(
    template_id: UUID, db: Db, templates: Templates, who: Caller = caller(READ)
) -> TemplateRead:
    """The version in use."""
    async with db.read() as tx:
        return TemplateRead.from_domain(await templates.get(tx, who.merchant, template_id))


@router.get("/{template_id}/versions", summary="List a template's versions")
async def list_template_versions(
    template_id: UUID,
    db: Db,
    templates: Templates,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
) -> Page[TemplateRead]:
    """Newest first: who wrote what, when."""
    position = page.after_as(int)
    async with db.read() as tx:
        found = await templates.list_versions(
            tx,
            who.merchant,
            template_id,
            before=position[0] if position else _NEWEST,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=TemplateRead.from_domain, position=lambda it: [it.version])


@router.post(
    "/{template_id}/versions",
    status_code=201,
    response_model=TemplateRead,
    summary="Write a template's next version",
)
async def create_template_version(
    template_id: UUID,
    body: DraftModel,
    templates: Templates,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """Used from now on; earlier ones stay to be read."""

    async def work(tx: Transaction) -> TemplateRead:
        made = await templates.change(tx, who.merchant, template_id, body.to_draft(), who.id)
        return TemplateRead.from_domain(made)

    return await run(who, work)
