"""SQL of what endpoints are told: a constant number of statements, whatever the batch."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from fulfillment.webhook_deliveries.domain import (
    CIRCUIT_FAILURES,
    SUSPECT_FAILURES,
    Due,
    Health,
    Lane,
    Result,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEvent,
    WebhookState,
)
from fulfillment.webhook_endpoints.domain import Disabled
from kit.db import Transaction


class WebhookDeliveryRepository:
    def add(self, tx: Transaction, events: Sequence[WebhookEvent]) -> None:
        """One delivery for each endpoint that wants to be told, written with the commit."""
        names = ("id", "merchant_id", "type", "body", "occurred_at")
        values = {name: [getattr(each, name) for each in events] for name in names}
        tx.at_commit(_ADD, values)

    async def add_for(self, tx: Transaction, event: WebhookEvent, endpoint_id: UUID) -> UUID:
        """A delivery to this endpoint alone; answers its id."""
        names = ("merchant_id", "type", "body", "occurred_at")
        values = {name: getattr(event, name) for name in names}
        rows = await tx.execute(
            _ADD_FOR, {**values, "event_id": event.id, "endpoint_id": endpoint_id}
        )
        return UUID(str(rows.one().id))

    async def take_lanes(
        self, tx: Transaction, *, are_suspect: bool, lease: timedelta, limit: int
    ) -> list[Lane]:
        """Free lanes of endpoints that something is due for. Of a failing one it is one lane."""
        values = {"are_suspect": are_suspect, "suspect": SUSPECT_FAILURES}
        rows = await tx.execute(_TAKE_LANES, {**values, "lease": lease, "limit": limit})
        return [Lane(row.endpoint_id, row.lane_no, row.lease_id) for row in rows]

    async def free_lane(self, tx: Transaction, lane: Lane) -> None:
        """Anybody may take it again."""
        await tx.execute(_FREE_LANE, _lane_values(lane))

    async def take_due(
        self, tx: Transaction, lane: Lane, lease: timedelta, limit: int
    ) -> tuple[str, list[Due]]:
        """The lane's lease anew, and the URL that up to `limit` deliveries for it go to: one if its
        circuit is open, none (and no URL) when the lease was lost, or nothing must be sent now.
        """
        values = {"lease": lease, "limit": limit, "circuit": CIRCUIT_FAILURES}
        rows = (await tx.execute(_TAKE_DUE, {**_lane_values(lane), **values})).all()
        due = [Due(row.id, row.event_id, row.body, row.tries) for row in rows]
        return rows[0].url if rows else "", due

    async def record(self, tx: Transaction, lane: Lane, results: Sequence[Result]) -> None:
        """Each attempt and what became of its delivery, if the lane's lease still held it; what
        the lane did not come to is due again.
        """
        if results:
            await tx.execute(_RECORD, {"lease_id": lane.lease_id, **_result_values(results)})
        await tx.execute(_GIVE_BACK, {"lease_id": lane.lease_id, "endpoint_id": lane.endpoint_id})

    async def note_health(
        self,
        tx: Transaction,
        lane: Lane,
        url: str,
        health: Health,
        *,
        circuit_first: timedelta,
        circuit_max: timedelta,
    ) -> None:
        """How it goes with the endpoint at this URL, and when it may be called again."""
        await tx.execute(
            _NOTE_HEALTH,
            {
                "id": lane.endpoint_id,
                "url": url,
                "has_success": health.has_success,
                "failures": health.failures,
                "pause": health.pause,
                "circuit": CIRCUIT_FAILURES,
                "circuit_first": circuit_first,
                "circuit_max": circuit_max,
            },
        )

    async def disable(
        self, tx: Transaction, lane: Lane, url: str, *, is_gone: bool, after: timedelta
    ) -> tuple[UUID, Disabled, datetime] | None:
        """Switches the endpoint off if it is gone, or has been failing for so long, at this URL;
        answers whose it is, why, and since when it fails.
        """
        values = {"id": lane.endpoint_id, "url": url, "is_gone": is_gone, "after": after}
        row = (await tx.execute(_DISABLE, values)).one_or_none()
        if row is None:
            return None
        return row.merchant_id, Disabled(row.disabled_because), row.failing_since

    async def redeliver(self, tx: Transaction, merchant_id: UUID, delivery_id: UUID) -> None:
        """Due now, with its whole schedule before it."""
        await tx.execute(_REDELIVER, {"merchant_id": merchant_id, "id": delivery_id})

    async def redeliver_range(
        self,
        tx: Transaction,
        endpoint_id: UUID,
        since: datetime,
        until: datetime,
        states: Sequence[WebhookState],
        limit: int,
    ) -> list[datetime]:
        """The same for those recorded in [since, until), the oldest first; answers their times."""
        rows = await tx.execute(
            _REDELIVER_RANGE,
            {
                "endpoint_id": endpoint_id,
                "since": since,
                "until": until,
                "states": [state.value for state in states],
                "limit": limit,
            },
        )
        return sorted(row.created_at for row in rows)

    async def find(
        self, tx: Transaction, merchant_id: UUID, delivery_id: UUID
    ) -> WebhookDelivery | None:
        values = {"merchant_id": merchant_id, "id": delivery_id}
        row = (await tx.execute(_GET, values)).one_or_none()
        return _delivery(row) if row else None

    async def list_attempts(
        self, tx: Transaction, delivery_id: UUID, limit: int
    ) -> list[WebhookAttempt]:
        """The last first."""
        rows = await tx.execute(_ATTEMPTS, {"id": delivery_id, "limit": limit})
        names = [each.name for each in fields(WebhookAttempt)]
        return [WebhookAttempt(*(getattr(row, name) for name in names)) for row in rows]

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
    ) -> list[WebhookDelivery]:
        """The newest first."""
        created_at, delivery_id = after or (None, None)
        rows = await tx.execute(
            _LIST,
            {
                "merchant_id": merchant_id,
                "endpoint_id": endpoint_id,
                "state": state,
                "type": event_type,
                "created_at": created_at,
                "id": delivery_id,
                "limit": limit,
            },
        )
        return [_delivery(row) for row in rows]

    async def prune(self, tx: Transaction, keep: timedelta, limit: int) -> int:
        """Forgets what is over and older than `keep`, with its attempts; answers how many."""
        return (await tx.execute(_PRUNE, {"keep": keep, "limit": limit})).rowcount


def _lane_values(lane: Lane) -> dict[str, Any]:
    return {
        "endpoint_id": lane.endpoint_id,
        "lane_no": lane.lane_no,
        "lease_id": lane.lease_id,
    }


def _result_values(results: Sequence[Result]) -> dict[str, list[Any]]:
    return {
        "id": [it.due.id for it in results],
        "state": [it.state.value for it in results],
        "tries": [it.due.tries for it in results],
        "pause": [it.pause for it in results],
        "status": [it.answered.status for it in results],
        "reason": [it.answered.reason for it in results],
        "milliseconds": [int(it.took.total_seconds() * 1000) for it in results],
        "ago": [it.ago for it in results],
    }


def _delivery(row: Any) -> WebhookDelivery:  # a row has no static type
    values = {each.name: getattr(row, each.name) for each in fields(WebhookDelivery)}
    return WebhookDelivery(**{**values, "state": WebhookState(row.state)})


_ADD = text(
    """
    INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, type, body, occurred_at,
                                  state)
    SELECT gen_random_uuid(), e.merchant_id, w.id, e.id, e.type, e.body, e.occurred_at,
           CASE WHEN w.is_enabled THEN 'pending' ELSE 'missed' END
    FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]), CAST(:type AS text[]),
        CAST(:body AS text[]), CAST(:occurred_at AS timestamptz[]))
        AS e (id, merchant_id, type, body, occurred_at)
    JOIN webhook_endpoint w ON w.merchant_id = e.merchant_id AND w.deleted_at IS NULL
     AND (w.event_types = '{}' OR e.type = ANY (w.event_types))
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
    """
)
_ADD_FOR = text(
    """
    INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, type, body, occurred_at,
                                  state)
    VALUES (gen_random_uuid(), :merchant_id, :endpoint_id, :event_id, :type, :body, :occurred_at,
            'pending')
    RETURNING id
    """
)
# MATERIALIZED: the planner must not run the locking part twice and take more than :limit.
_TAKE_LANES = text(
    """
    WITH free AS MATERIALIZED (
        SELECT l.endpoint_id, l.lane_no
        FROM webhook_endpoint w JOIN webhook_lane l ON l.endpoint_id = w.id
        WHERE w.is_enabled AND w.deleted_at IS NULL AND w.opens_at <= clock_timestamp()
          AND (w.failures >= :suspect) = CAST(:are_suspect AS boolean)
          AND (w.failures < :suspect OR l.lane_no = 1)
          AND l.lease_ends_at <= clock_timestamp()
          AND EXISTS (SELECT 1 FROM webhook_delivery d
                      WHERE d.endpoint_id = w.id AND d.state = 'pending'
                        AND d.due_at <= clock_timestamp())
        LIMIT :limit FOR UPDATE OF l SKIP LOCKED
    )
    UPDATE webhook_lane l SET lease_id = gen_random_uuid(),
           lease_ends_at = clock_timestamp() + CAST(:lease AS interval)
    FROM free WHERE l.endpoint_id = free.endpoint_id AND l.lane_no = free.lane_no
    RETURNING l.endpoint_id, l.lane_no, l.lease_id
    """
)
_FREE_LANE = text(
    """
    UPDATE webhook_lane SET lease_id = NULL, lease_ends_at = clock_timestamp()
    WHERE endpoint_id = :endpoint_id AND lane_no = :lane_no AND lease_id = :lease_id
    """
)
_TAKE_DUE = text(
    """
    WITH held AS (
        UPDATE webhook_lane l SET lease_ends_at = clock_timestamp() + CAST(:lease AS interval)
        FROM webhook_endpoint w
        WHERE l.endpoint_id = :endpoint_id AND l.lane_no = :lane_no AND l.lease_id = :lease_id
          AND w.id = l.endpoint_id AND w.is_enabled AND w.deleted_at IS NULL
          AND w.opens_at <= clock_timestamp()
        RETURNING l.endpoint_id, w.failures, w.url
    ), pick AS MATERIALIZED (
        SELECT d.id FROM webhook_delivery d
        WHERE d.endpoint_id = (SELECT endpoint_id FROM held) AND d.state = 'pending'
          AND d.due_at <= clock_timestamp()
        ORDER BY d.due_at
        LIMIT (SELECT CASE WHEN failures >= :circuit THEN 1 ELSE CAST(:limit AS int) END FROM held)
        FOR UPDATE SKIP LOCKED
    )
    UPDATE webhook_delivery d
    SET lease_id = :lease_id, due_at = clock_timestamp() + CAST(:lease AS interval)
    FROM pick WHERE d.id = pick.id
    RETURNING d.id, d.event_id, d.body, d.tries, (SELECT url FROM held) AS url
    """
)
# Fewer tries than when it was taken: meanwhile somebody wants it sent again, so it is due.
_IS_AGAIN = "own.state <> 'delivered' AND d.tries < own.tries"
_RECORD = text(
    f"""
    WITH own AS (
        SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:state AS text[]), CAST(:tries AS int[]),
            CAST(:pause AS interval[]), CAST(:status AS int[]), CAST(:reason AS text[]),
            CAST(:milliseconds AS int[]), CAST(:ago AS interval[]))
            AS own (id, state, tries, pause, status, reason, milliseconds, ago)
    ), tried AS (
        UPDATE webhook_delivery d
        SET state = CASE WHEN {_IS_AGAIN} THEN 'pending' ELSE own.state END,
            attempts = d.attempts + 1, lease_id = NULL,
            tries = CASE WHEN own.state = 'delivered' THEN d.tries ELSE d.tries + 1 END,
            due_at = clock_timestamp() + CASE WHEN {_IS_AGAIN} THEN interval '0' ELSE own.pause END,
            last_status = own.status, last_reason = own.reason,
            settled_at = CASE WHEN own.state <> 'pending' AND NOT ({_IS_AGAIN})
                              THEN clock_timestamp() END
        FROM own WHERE d.id = own.id AND d.lease_id = :lease_id AND d.state = 'pending'
        RETURNING d.id, d.attempts
    )
    INSERT INTO webhook_attempt (delivery_id, attempt_no, started_at, milliseconds, status, reason)
    SELECT tried.id, tried.attempts, clock_timestamp() - own.ago, own.milliseconds, own.status,
           own.reason
    FROM tried JOIN own ON own.id = tried.id
    """  # noqa: S608 - words of this file
)
_GIVE_BACK = text(
    """
    UPDATE webhook_delivery SET lease_id = NULL, due_at = clock_timestamp()
    WHERE endpoint_id = :endpoint_id AND state = 'pending' AND lease_id = :lease_id
    """
)
_NOTE_HEALTH = text(
    """
    UPDATE webhook_endpoint w
    SET failures = own.failures,
        failing_since = CASE WHEN own.failures = 0 THEN NULL
            WHEN CAST(:has_success AS boolean) THEN clock_timestamp()
            ELSE coalesce(w.failing_since, clock_timestamp()) END,
        last_success_at = CASE WHEN CAST(:has_success AS boolean) THEN clock_timestamp()
            ELSE w.last_success_at END,
        opens_at = greatest(
            clock_timestamp() + CAST(:pause AS interval),
            CASE WHEN NOT CAST(:has_success AS boolean) THEN w.opens_at END,
            CASE WHEN own.failures >= :circuit THEN clock_timestamp() + least(
                CAST(:circuit_max AS interval),
                CAST(:circuit_first AS interval) * power(2, least(own.failures - :circuit, 20)))
            END)
    FROM (SELECT id, CAST(:failures AS int) +
                 CASE WHEN CAST(:has_success AS boolean) THEN 0 ELSE failures END AS failures
          FROM webhook_endpoint WHERE id = :id AND url = :url FOR UPDATE) AS own
    WHERE w.id = own.id
    """
)
_DISABLE = text(
    """
    UPDATE webhook_endpoint
    SET is_enabled = false, disabled_at = clock_timestamp(),
        disabled_because = CASE WHEN CAST(:is_gone AS boolean) THEN 'gone' ELSE 'failing' END
    WHERE id = :id AND url = :url AND is_enabled
      AND (CAST(:is_gone AS boolean)
           OR failing_since <= clock_timestamp() - CAST(:after AS interval))
    RETURNING merchant_id, disabled_because, coalesce(failing_since, disabled_at) AS failing_since
    """
)
_AGAIN = """
    state = 'pending', tries = 0, settled_at = NULL,
    due_at = CASE WHEN lease_id IS NULL THEN clock_timestamp() ELSE due_at END
"""
_REDELIVER = text(
    f"UPDATE webhook_delivery SET {_AGAIN} WHERE merchant_id = :merchant_id AND id = :id"  # noqa: S608 - text of this file
)
_REDELIVER_RANGE = text(
    f"""
    UPDATE webhook_delivery SET {_AGAIN}
    WHERE id IN (SELECT id FROM webhook_delivery
                 WHERE endpoint_id = :endpoint_id
                   AND created_at >= :since AND created_at < :until
                   AND state = ANY(CAST(:states AS text[]))
                 ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING created_at
    """  # noqa: S608 - text of this file
)
_GET = text("SELECT * FROM webhook_delivery WHERE merchant_id = :merchant_id AND id = :id")
_ATTEMPTS = text(
    """
    SELECT attempt_no, started_at, milliseconds, status, reason FROM webhook_attempt
    WHERE delivery_id = :id ORDER BY attempt_no DESC LIMIT :limit
    """
)
_LIST = text(
    """
    SELECT * FROM webhook_delivery
    WHERE merchant_id = :merchant_id
      AND (CAST(:endpoint_id AS uuid) IS NULL OR endpoint_id = CAST(:endpoint_id AS uuid))
      AND (CAST(:state AS text) IS NULL OR state = CAST(:state AS text))
      AND (CAST(:type AS text) IS NULL OR type = CAST(:type AS text))
      AND (CAST(:created_at AS timestamptz) IS NULL
           OR (created_at, id) < (CAST(:created_at AS timestamptz), CAST(:id AS uuid)))
    ORDER BY created_at DESC, id DESC LIMIT :limit
    """
)
_PRUNE = text(
    """
    DELETE FROM webhook_delivery
    WHERE id IN (SELECT d.id FROM webhook_delivery d JOIN webhook_endpoint w ON w.id = d.endpoint_id
                 WHERE d.created_at < clock_timestamp() - CAST(:keep AS interval)
                   AND (d.state <> 'pending' OR NOT w.is_enabled)
                 ORDER BY d.created_at LIMIT :limit FOR UPDATE OF d SKIP LOCKED)
    """
)
