"""Webhook endpoints for shops."""

from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from fulfillment.webhook_endpoints.domain import EndpointKey
from fulfillment.webhook_endpoints.schemas import (
    WebhookEndpointChange,
    WebhookEndpointCreate,
    WebhookEndpointRead,
    WebhookEventTypeRead,
    WebhookEventTypes,
    WebhookKeyCreate,
)
from fulfillment.webhook_endpoints.service import WebhookEndpointService
from fulfillment.webhook_signatures import Scheme
from fulfillment.webhook_type import WebhookType
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once, with_secret
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1", tags=["webhook endpoints"])
READ = "webhooks:read"
WRITE = "webhooks:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _endpoints(request: Request) -> WebhookEndpointService:
    return cast(WebhookEndpointService, request.app.state.webhook_endpoints)


def _types(request: Request) -> Sequence[WebhookType]:
    return cast(Sequence[WebhookType], request.app.state.webhook_types)


Db = Annotated[Database, Depends(_db)]
Endpoints = Annotated[WebhookEndpointService, Depends(_endpoints)]
Types = Annotated[Sequence[WebhookType], Depends(_types)]


@router.get("/webhook-event-types", summary="List what webhooks tell")
async def list_webhook_event_types(types: Types, who: Caller = caller(READ)) -> WebhookEventTypes:
    """Each type of event that an endpoint can be told of."""
    return WebhookEventTypes(
        items=[WebhookEventTypeRead(name=it.name, summary=it.summary) for it in types]
    )


@router.post(
    "/webhook-endpoints",
    status_code=201,
    response_model=WebhookEndpointRead,
    summary="Add a webhook endpoint",
)
async def create_webhook_endpoint(
    body: WebhookEndpointCreate,
    endpoints: Endpoints,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """The answer is the only place its secret ever appears in: a repeat with the same
    Idempotency-Key answers the same endpoint without it.
    """
    made: list[EndpointKey] = []

    async def work(tx: Transaction) -> WebhookEndpointRead:
        endpoint = await endpoints.create(tx, body.to_domain(who.merchant), body.schemes())
        made.extend(endpoint.keys)
        return WebhookEndpointRead.from_domain(endpoint)

    answer = await run(who, work, location=lambda it: f"/v1/webhook-endpoints/{it.id}")
    return _shown_once(answer, made)


@router.get("/webhook-endpoints", summary="List webhook endpoints")
async def list_webhook_endpoints(
    db: Db,
    endpoints: Endpoints,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
) -> Page[WebhookEndpointRead]:
    """The merchant's endpoints, newest first, with how it goes with each."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await endpoints.list_endpoints(
            tx, who.merchant, after=position[0] if position else None, limit=page.limit + 1
        )
    return page_of(found, page, read=WebhookEndpointRead.from_domain, position=lambda it: [it.id])


@router.get("/webhook-endpoints/{webhook_endpoint_id}", summary="Read a webhook endpoint")
async def read_webhook_endpoint(
    webhook_endpoint_id: UUID, db: Db, endpoints: Endpoints, who: Caller = caller(READ)
) -> WebhookEndpointRead:
    async with db.read() as tx:
        return WebhookEndpointRead.from_domain(
            await endpoints.get(tx, who.merchant, webhook_endpoint_id)
        )


@router.patch("/webhook-endpoints/{webhook_endpoint_id}", summary="Change a webhook endpoint")
async def change_webhook_endpoint(
    webhook_endpoint_id: UUID,
    body: WebhookEndpointChange,
    db: Db,
    endpoints: Endpoints,
    who: Caller = caller(WRITE),
) -> WebhookEndpointRead:
    """Another URL or choice of events; off, or on again."""
    async with db.transaction() as tx:
        changed = await endpoints.change(tx, who.merchant, webhook_endpoint_id, body.values())
    return WebhookEndpointRead.from_domain(changed)


@router.delete(
    "/webhook-endpoints/{webhook_endpoint_id}",
    status_code=204,
    summary="Delete a webhook endpoint",
)
async def delete_webhook_endpoint(
    webhook_endpoint_id: UUID, db: Db, endpoints: Endpoints, who: Caller = caller(WRITE)
) -> None:
    """What it was not told yet is not told any more."""
    async with db.transaction() as tx:
        await endpoints.delete(tx, who.merchant, webhook_endpoint_id)


@router.post(
    "/webhook-endpoints/{webhook_endpoint_id}/keys",
    status_code=201,
    response_model=WebhookEndpointRead,
    summary="Replace a key of a webhook endpoint",
)
async def rotate_webhook_key(
    webhook_endpoint_id: UUID,
    body: WebhookKeyCreate,
    endpoints: Endpoints,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """Both keys sign until the overlap is over; the new secret is shown in this answer only."""
    made: list[EndpointKey] = []

    async def work(tx: Transaction) -> WebhookEndpointRead:
        endpoint, key = await endpoints.rotate(
            tx, who.merchant, webhook_endpoint_id, body.scheme(), body.overlap()
        )
        made.append(key)
        return WebhookEndpointRead.from_domain(endpoint)

    return _shown_once(await run(who, work), made)


def _shown_once(answer: Response, made: Sequence[EndpointKey]) -> Response:
    """With the shared secret; a private key is shown to nobody."""
    secrets = [it.key.secret_text for it in made if it.key.scheme is Scheme.HMAC]
    return with_secret(answer, secret=secrets[0]) if secrets else answer
