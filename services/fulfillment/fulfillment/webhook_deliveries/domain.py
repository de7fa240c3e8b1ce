"""What an endpoint is told, how often it is tried, and what its answers mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from fulfillment.webhook_signatures import SigningKey
from kit.errors import NotFound

BODY_BYTES_MAX = 20_000
SCHEDULE = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The pause before each try: about three days in all. Then a delivery has failed."""
JITTER = 0.2
"""A pause is longer or shorter by up to this part of it, so that retries do not come in waves."""
RETRY_AFTER_MAX = timedelta(hours=1)
CIRCUIT_FAILURES = 10
"""So many failures in a row open an endpoint's circuit: then one attempt at a time, with pauses."""
CIRCUIT_PAUSE_FIRST = timedelta(seconds=5)
CIRCUIT_PAUSE_MAX = timedelta(minutes=5)
SUSPECT_FAILURES = 3
"""An endpoint that has failed so often in a row may not take lanes that others need."""
_SLOW_DOWN = (429, 502, 503, 504)
_GONE = 410


class WebhookState(StrEnum):
    """`missed`: it happened while the endpoint was switched off; it can still be redelivered."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """Something that happened, as shops are told of it."""

    id: UUID
    merchant_id: UUID
    type: str
    body: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookAttempt:
    """`status` is the HTTP status, if there was an answer; `reason` is empty for a success."""

    attempt_no: int
    started_at: datetime
    milliseconds: int
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One event for one endpoint."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    type: str
    body: str
    occurred_at: datetime
    state: WebhookState
    attempts: int
    due_at: datetime
    last_status: int | None
    last_reason: str
    settled_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Lane:
    """The right to call an endpoint, one call at a time, until the lease ends."""

    endpoint_id: UUID
    lane_no: int
    lease_id: UUID


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come."""

    id: UUID
    event_id: UUID
    body: str
    tries: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What a lane works on next, and where that goes: the endpoint's URL at this moment."""

    lane: Lane
    url: str
    keys: Sequence[SigningKey] = field(repr=False)
    deliveries: Sequence[Due]


@dataclass(frozen=True, slots=True)
class Answered:
    """What an attempt came to. `pause`: how long the endpoint wants to be left alone."""

    status: int | None
    reason: str
    pause: timedelta | None = None
    is_gone: bool = False

    @property
    def is_delivered(self) -> bool:
        return self.reason == ""


@dataclass(frozen=True, slots=True)
class Result:
    """A delivery after an attempt: what it came to, and what is next."""

    due: Due
    answered: Answered
    state: WebhookState
    pause: timedelta
    took: timedelta
    ago: timedelta
    """How long ago the attempt began."""


@dataclass(frozen=True, slots=True)
class Health:
    """What a batch says of its endpoint."""

    has_success: bool
    failures: int
    """Since the last success of the batch."""
    pause: timedelta
    is_gone: bool


def judge(status: int, headers: Mapping[str, str]) -> Answered:
    """Success is 2xx and nothing else; a redirect is not followed and is a failure."""
    if 200 <= status < 300:
        return Answered(status, "")
    pause = _retry_after(headers.get("retry-after", "")) if status in _SLOW_DOWN else None
    return Answered(status, f"http_{status}", pause, is_gone=status == _GONE)


def _retry_after(text: str) -> timedelta | None:
    """In seconds; the other form, a date, needs a clock we do not share and is not honoured."""
    if not text.isascii() or not text.isdecimal():
        return None
    return min(timedelta(seconds=min(int(text[:9]), 10**6)), RETRY_AFTER_MAX)


def next_step(tries: int, answered: Answered, luck: float) -> tuple[WebhookState, timedelta]:
    """What becomes of a delivery that failed `tries` times before this attempt, and after which
    pause it is tried again. `luck` lies between 0 and 1.
    """
    if answered.is_delivered:
        return WebhookState.DELIVERED, timedelta(0)
    failed = tries + 1
    if answered.is_gone or failed >= len(SCHEDULE):
        return WebhookState.FAILED, timedelta(0)
    pause = SCHEDULE[failed] * (1 - JITTER + 2 * JITTER * luck)
    return WebhookState.PENDING, pause


def health_of(results: Sequence[Result]) -> Health:
    """In the order of the attempts."""
    failures = 0
    for result in reversed(results):
        if result.answered.is_delivered:
            break
        failures += 1
    pauses = [it.answered.pause for it in results if it.answered.pause is not None]
    return Health(
        has_success=failures < len(results),
        failures=failures,
        pause=max(pauses, default=timedelta(0)),
        is_gone=any(result.answered.is_gone for result in results),
    )


class WebhookDeliveryNotFound(NotFound):
    """There is no such webhook delivery, or it is not yours."""

    code = "webhook_delivery_not_found"
