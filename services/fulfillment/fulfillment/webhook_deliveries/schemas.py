"""The wire of webhook deliveries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from fulfillment.webhook_deliveries.domain import WebhookAttempt, WebhookDelivery, WebhookState
from kit.http import Model, Timestamp

_DELIVERY: dict[str, Any] = {
    "id": "0193a3f0-5b1e-4c44-9d57-0f4d3c1b2a71",
    "endpoint_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a61",
    "event_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a81",
    "type": "order.completed",
    "occurred_at": "2026-11-27T09:00:00Z",
    "state": "pending",
    "attempts": 1,
    "due_at": "2026-11-27T09:00:05Z",
    "last_status": 500,
    "last_reason": "http_500",
    "settled_at": None,
    "created_at": "2026-11-27T09:00:00Z",
}


class WebhookDeliveryRead(Model):
    """One event for one endpoint, and how far it has come."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY]})

    id: UUID
    endpoint_id: UUID
    event_id: UUID = Field(description="The `webhook-id`, the same in every attempt.")
    type: str
    occurred_at: datetime
    state: WebhookState = Field(
        description="`pending`: tried again at `due_at`; `failed`: given up; `missed`: it happened "
        "while the endpoint was switched off."
    )
    attempts: int
    due_at: datetime
    last_status: int | None
    last_reason: str = Field(description="Why the last attempt failed; empty after a success.")
    settled_at: datetime | None
    created_at: datetime

    @classmethod
    def from_domain(cls, delivery: WebhookDelivery) -> Self:
        return cls(**_fields(delivery))


class WebhookAttemptRead(Model):
    attempt_no: int
    started_at: datetime
    milliseconds: int
    status: int | None = Field(description="The HTTP status; null when there was no answer.")
    reason: str = Field(description="Empty after a success.")


class WebhookDeliveryDetail(WebhookDeliveryRead):
    """With what is sent, and the last 50 attempts, the last first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_DELIVERY,
                    "body": '{"type":"order.completed","timestamp":"2026-11-27T09:00:00.000Z",'
                    '"data":{"order_id":"0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a11"}}',
                    "tried": [
                        {
                            "attempt_no": 1,
                            "started_at": "2026-11-27T09:00:00Z",
                            "milliseconds": 41,
                            "status": 500,
                            "reason": "http_500",
                        }
                    ],
                }
            ]
        }
    )

    body: str = Field(description="The bytes that are signed.")
    tried: list[WebhookAttemptRead]

    @classmethod
    def whole(cls, delivery: WebhookDelivery, attempts: Sequence[WebhookAttempt]) -> Self:
        tried = [
            WebhookAttemptRead(
                attempt_no=it.attempt_no,
                started_at=it.started_at,
                milliseconds=it.milliseconds,
                status=it.status,
                reason=it.reason,
            )
            for it in attempts
        ]
        return cls(**_fields(delivery), body=delivery.body, tried=tried)


class WebhookRedeliver(Model):
    """Which webhooks of an endpoint are sent again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "since": "2026-11-26T00:00:00Z",
                    "until": "2026-11-27T00:00:00Z",
                    "states": ["failed", "missed"],
                }
            ]
        }
    )

    since: Timestamp = Field(description="Recorded at this time or later.")
    until: Timestamp = Field(description="Recorded before this time.")
    states: Annotated[list[WebhookState], Field(min_length=1, max_length=4)] = Field(
        default=[WebhookState.FAILED, WebhookState.MISSED],
        description="`delivered` too, when the shop lost what it was told.",
    )


class WebhookRedelivered(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"queued": 120, "continue_since": None}]}
    )

    queued: int = Field(description="How many are sent again.")
    continue_since: datetime | None = Field(
        description="Set when there were too many for one call: call again with it as `since`."
    )


class WebhookPinged(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"delivery_id": _DELIVERY["id"]}]})

    delivery_id: UUID = Field(
        description="See GET /v1/webhook-deliveries/{id} for what came of it."
    )


def _fields(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "endpoint_id": delivery.endpoint_id,
        "event_id": delivery.event_id,
        "type": delivery.type,
        "occurred_at": delivery.occurred_at,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at,
        "last_status": delivery.last_status,
        "last_reason": delivery.last_reason,
        "settled_at": delivery.settled_at,
        "created_at": delivery.created_at,
    }
