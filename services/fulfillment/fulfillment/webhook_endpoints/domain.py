"""Where a shop wants to be told of what happens, and by which keys it knows that it is us."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from fulfillment.webhook_signatures import SigningKey
from kit.errors import Conflict, Invalid, NotFound

ENDPOINTS_MAX = 50
"""Of one merchant."""
LANES = 2
"""Calls to one endpoint under way at a time."""


class Disabled(StrEnum):
    """Why nothing is sent to an endpoint."""

    BY_REQUEST = "by_request"
    FAILING = "failing"  # not one success for days
    GONE = "gone"  # it answered 410


@dataclass(frozen=True, slots=True)
class EndpointKey:
    """A key of an endpoint; `ends_at` is set while its successor already signs too."""

    id: UUID
    key: SigningKey
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """`event_types`: what it is told of; nothing named means everything.

    `failing_since`: since when no attempt succeeded. `opens_at`: before it nothing is sent, because
    it failed repeatedly or asked for a pause.
    """

    id: UUID
    merchant_id: UUID
    url: str
    description: str = ""
    event_types: tuple[str, ...] = ()
    disabled: Disabled | None = None
    disabled_at: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    last_success_at: datetime | None = None
    opens_at: datetime | None = None
    created_at: datetime | None = None
    keys: tuple[EndpointKey, ...] = ()

    @property
    def is_enabled(self) -> bool:
        return self.disabled is None


def unknown_types(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    return sorted(set(wanted) - set(known))


class WebhookEndpointNotFound(NotFound):
    """There is no such webhook endpoint, or it is not yours."""

    code = "webhook_endpoint_not_found"


class WebhookUrlNotAllowed(Invalid):
    """This URL must not be called: use https to a host of the public internet, see `reason`."""

    code = "webhook_url_not_allowed"


class UnknownEventType(Invalid):
    """There is no webhook of this type; see `unknown` and GET /v1/webhook-event-types."""

    code = "unknown_event_type"


class TooManyWebhookEndpoints(Conflict):
    """You have as many endpoints as one merchant may have; delete one first."""

    code = "too_many_webhook_endpoints"


class WebhookEndpointOff(Conflict):
    """The endpoint is switched off; switch it on with PATCH and `is_enabled`, then try again."""

    code = "webhook_endpoint_off"
