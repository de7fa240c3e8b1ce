"""What webhooks came to, and sending them again."""

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from fulfillment.webhook_deliveries.domain import WebhookState
from fulfillment.webhook_deliveries.schemas import (
    WebhookDeliveryDetail,
    WebhookDeliveryRead,
    WebhookPinged,
    WebhookRedeliver,
    WebhookRedelivered,
)
from fulfillment.webhook_deliveries.service import WebhookDeliveryService
from kit.clock import SystemClock
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1", tags=["webhook deliveries"])
READ = "webhooks:read"
WRITE = "webhooks:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _deliveries(request: Request) -> WebhookDeliveryService:
    return cast(WebhookDeliveryService, request.app.state.webhook_deliveries)


Db = Annotated[Database, Depends(_db)]
Deliveries = Annotated[WebhookDeliveryService, Depends(_deliveries)]


@router.get("/webhook-deliveries", summary="List webhooks")
async def list_webhook_deliveries(
    db: Db,
    deliveries: Deliveries,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    endpoint_id: Annotated[UUID | None, Query(description="Only of this endpoint.")] = None,
    state: Annotated[WebhookState | None, Query(description="Only in this state.")] = None,
    type: Annotated[str | None, Query(max_length=60, description="Only of this type.")] = None,
) -> Page[WebhookDeliveryRead]:
    """One for each event and endpoint, newest first."""
    async with db.read() as tx:
        found = await deliveries.list_deliveries(
            tx,
            who.merchant,
            endpoint_id=endpoint_id,
            state=state.value if state else None,
            event_type=type,
            after=page.after_as(datetime.fromisoformat, UUID),
            limit=page.limit + 1,
        )
    return page_of(
        found,
        page,
        read=WebhookDeliveryRead.from_domain,
        position=lambda it: [it.created_at.isoformat(), it.id],
    )


@router.get("/webhook-deliveries/{webhook_delivery_id}", summary="Read a webhook")
async def read_webhook_delivery(
    webhook_delivery_id: UUID, db: Db, deliveries: Deliveries, who: Caller = caller(READ)
) -> WebhookDeliveryDetail:
    """With what is sent and every attempt at it."""
    async with db.read() as tx:
        found, attempts = await deliveries.get(tx, who.merchant, webhook_delivery_id)
    return WebhookDeliveryDetail.whole(found, attempts)


@router.post(
    "/webhook-deliveries/{webhook_delivery_id}/redeliver",
    status_code=202,
    response_model=WebhookDeliveryRead,
    summary="Send a webhook again",
)
async def redeliver_webhook(
    webhook_delivery_id: UUID,
    deliveries: Deliveries,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """Under the same id, with its whole schedule before it, whatever became of it."""

    async def work(tx: Transaction) -> WebhookDeliveryRead:
        return WebhookDeliveryRead.from_domain(
            await deliveries.redeliver(tx, who.merchant, webhook_delivery_id)
        )

    return await run(who, work, status=202)


@router.post(
    "/webhook-endpoints/{webhook_endpoint_id}/redeliveries",
    status_code=202,
    response_model=WebhookRedelivered,
    summary="Send an endpoint's webhooks of a time again",
)
async def redeliver_webhooks(
    webhook_endpoint_id: UUID,
    body: WebhookRedeliver,
    deliveries: Deliveries,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """Those that failed, and those that were missed while the endpoint was switched off."""

    async def work(tx: Transaction) -> WebhookRedelivered:
        queued, more = await deliveries.redeliver_range(
            tx,
            who.merchant,
            webhook_endpoint_id,
            since=body.since,
            until=body.until,
            states=body.states,
        )
        return WebhookRedelivered(queued=queued, continue_since=more)

    return await run(who, work, status=202)


@router.post(
    "/webhook-endpoints/{webhook_endpoint_id}/ping",
    status_code=202,
    response_model=WebhookPinged,
    summary="Send a webhook that says nothing",
)
async def ping_webhook_endpoint(
    webhook_endpoint_id: UUID,
    deliveries: Deliveries,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """To see whether the endpoint is reached and verifies what it gets: type `webhook.ping`."""

    async def work(tx: Transaction) -> WebhookPinged:
        now = SystemClock().now()
        return WebhookPinged(
            delivery_id=await deliveries.ping(tx, who.merchant, webhook_endpoint_id, now)
        )

    return await run(who, work, status=202)
