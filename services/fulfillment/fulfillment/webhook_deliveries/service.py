"""Telling endpoints what happened, and writing down what came of it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from fulfillment.webhook_deliveries import events
from fulfillment.webhook_deliveries.domain import (
    CIRCUIT_PAUSE_FIRST,
    CIRCUIT_PAUSE_MAX,
    Answered,
    Batch,
    Due,
    Lane,
    Result,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryNotFound,
    WebhookEvent,
    WebhookState,
    health_of,
    next_step,
)
from fulfillment.webhook_deliveries.repository import WebhookDeliveryRepository
from fulfillment.webhook_endpoints.domain import WebhookEndpointOff
from fulfillment.webhook_endpoints.service import WebhookEndpointService
from kit.db import Transaction
from kit.ids import new_id
from kit.logging import get_logger
from kit.messaging import outbox

log = get_logger(__name__)

BATCH_MAX = 16
ATTEMPTS_SHOWN_MAX = 50
REDELIVERIES_MAX = 10_000
PRUNE_MAX = 5_000
PING = "webhook.ping"


@dataclass(frozen=True, slots=True)
class Pace:
    """`factor` multiplies every pause between attempts (tests run through three days). `lease`:
    how long a lane is one worker's alone.
    """

    factor: float
    lease: timedelta
    disable_after: timedelta
    keep: timedelta


class WebhookDeliveryService:
    def __init__(
        self,
        repository: WebhookDeliveryRepository,
        endpoints: WebhookEndpointService,
        pace: Pace,
    ) -> None:
        self._repository = repository
        self._endpoints = endpoints
        self._pace = pace

    def tell(self, tx: Transaction, happened: Sequence[WebhookEvent]) -> None:
        """Queues it for every endpoint that wants to know; again changes nothing."""
        if happened:
            self._repository.add(tx, happened)

    async def ping(
        self, tx: Transaction, merchant_id: UUID, endpoint_id: UUID, now: datetime
    ) -> UUID:
        """A delivery that says nothing, to this endpoint. Raises WebhookEndpointNotFound,
        WebhookEndpointOff.
        """
        await self._require_on(tx, merchant_id, endpoint_id)
        body = body_of(PING, now, {"endpoint_id": str(endpoint_id)})
        event = WebhookEvent(new_id(), merchant_id, PING, body, now)
        return await self._repository.add_for(tx, event, endpoint_id)

    async def take_lanes(self, tx: Transaction, *, are_suspect: bool, limit: int) -> list[Lane]:
        """Up to `limit` lanes, this caller's alone until their lease ends."""
        return await self._repository.take_lanes(
            tx, are_suspect=are_suspect, lease=self._pace.lease, limit=limit
        )

    async def next_batch(self, tx: Transaction, lane: Lane) -> Batch | None:
        """What the lane works on next; None when there is nothing more, and the lane is free."""
        url, due = await self._repository.take_due(tx, lane, self._pace.lease, BATCH_MAX)
        if not due:
            await self._repository.free_lane(tx, lane)
            return None
        keys = await self._endpoints.find_keys(tx, [lane.endpoint_id])
        return Batch(lane, url, [it.key for it in keys.get(lane.endpoint_id, ())], due)

    async def free(self, tx: Transaction, lane: Lane) -> None:
        """The caller goes; what it had taken is due again."""
        await self._repository.record(tx, lane, [])
        await self._repository.free_lane(tx, lane)

    def result(
        self, due: Due, answered: Answered, took: timedelta, ago: timedelta = timedelta(0)
    ) -> Result:
        """What becomes of a delivery after this answer."""
        state, pause = next_step(due.tries, answered, random.random())  # noqa: S311 - no secret
        pause = max(pause * self._pace.factor, answered.pause or timedelta(0))
        return Result(due, answered, state, pause, took, ago)

    async def record(
        self, tx: Transaction, lane: Lane, url: str, results: Sequence[Result]
    ) -> None:
        """Writes down a batch's attempts, and what they say of the endpoint, while that has the
        `url` they went to; tells its owner when it is switched off.
        """
        await self._repository.record(tx, lane, results)
        if not results:
            return
        health = health_of(results)
        await self._repository.note_health(
            tx,
            lane,
            url,
            health,
            circuit_first=CIRCUIT_PAUSE_FIRST * self._pace.factor,
            circuit_max=CIRCUIT_PAUSE_MAX * self._pace.factor,
        )
        if health.failures:
            await self._switch_off(tx, lane, url, is_gone=health.is_gone)

    async def redeliver(
        self, tx: Transaction, merchant_id: UUID, delivery_id: UUID
    ) -> WebhookDelivery:
        """The same webhook again, now. Raises WebhookDeliveryNotFound, WebhookEndpointOff."""
        found = await self._get(tx, merchant_id, delivery_id)
        await self._require_on(tx, merchant_id, found.endpoint_id)
        await self._repository.redeliver(tx, merchant_id, delivery_id)
        return await self._get(tx, merchant_id, delivery_id)

    async def redeliver_range(
        self,
        tx: Transaction,
        merchant_id: UUID,
        endpoint_id: UUID,
        *,
        since: datetime,
        until: datetime,
        states: Sequence[WebhookState],
    ) -> tuple[int, datetime | None]:
        """The same for what was recorded in [since, until): how many, and where to go on when there
        were too many for one call. Raises WebhookEndpointNotFound, WebhookEndpointOff.
        """
        await self._require_on(tx, merchant_id, endpoint_id)
        times = await self._repository.redeliver_range(
            tx, endpoint_id, since, until, states, REDELIVERIES_MAX
        )
        return len(times), times[-1] if len(times) == REDELIVERIES_MAX else None

    async def get(
        self, tx: Transaction, merchant_id: UUID, delivery_id: UUID
    ) -> tuple[WebhookDelivery, Sequence[WebhookAttempt]]:
        """With its last attempts. Raises WebhookDeliveryNotFound."""
        found = await self._get(tx, merchant_id, delivery_id)
        return found, await self._repository.list_attempts(tx, found.id, ATTEMPTS_SHOWN_MAX)

    async def list_deliveries(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        endpoint_id: UUID | None,
        state: str | None,
        event_type: str | None,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> Sequence[WebhookDelivery]:
        """The merchant's webhooks, newest first."""
        return await self._repository.list_deliveries(
            tx,
            merchant_id,
            endpoint_id=endpoint_id,
            state=state,
            event_type=event_type,
            after=after,
            limit=limit,
        )

    async def prune(self, tx: Transaction) -> bool:
        """Forgets old deliveries, a bounded batch at a time; True while more wait."""
        return await self._repository.prune(tx, self._pace.keep, PRUNE_MAX) >= PRUNE_MAX

    async def _get(self, tx: Transaction, merchant_id: UUID, delivery_id: UUID) -> WebhookDelivery:
        found = await self._repository.find(tx, merchant_id, delivery_id)
        if found is None:
            raise WebhookDeliveryNotFound
        return found

    async def _require_on(self, tx: Transaction, merchant_id: UUID, endpoint_id: UUID) -> None:
        endpoint = await self._endpoints.get(tx, merchant_id, endpoint_id)
        if not endpoint.is_enabled:
            raise WebhookEndpointOff(disabled_because=endpoint.disabled)

    async def _switch_off(self, tx: Transaction, lane: Lane, url: str, *, is_gone: bool) -> None:
        off = await self._repository.disable(
            tx, lane, url, is_gone=is_gone, after=self._pace.disable_after
        )
        if off is None:
            return
        merchant_id, because, since = off
        log.warning("webhook_endpoint_disabled", endpoint_id=str(lane.endpoint_id), why=because)
        message = events.webhook_endpoint_disabled(lane.endpoint_id, merchant_id, because, since)
        outbox.add(tx, message, key=str(lane.endpoint_id), merchant_id=merchant_id)


def body_of(event_type: str, at: datetime, data: Mapping[str, object]) -> str:
    """What is sent, to the byte."""
    moment = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return orjson.dumps({"type": event_type, "timestamp": moment, "data": data}).decode()
