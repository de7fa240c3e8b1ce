"""The wire of webhook endpoints."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.webhook_endpoints.domain import Disabled, EndpointKey, WebhookEndpoint
from fulfillment.webhook_signatures import Scheme
from kit.http import Model
from kit.ids import new_id

Url = Annotated[
    str, StringConstraints(min_length=8, max_length=2_000, pattern=r"^https?://[!-~]+$")
]
Description = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
EventTypeName = Annotated[
    str, StringConstraints(max_length=60, pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")
]
EventTypes = Annotated[list[EventTypeName], Field(max_length=50)]
Schemes = Annotated[list[Literal["v1", "v1a"]], Field(min_length=1, max_length=2)]

_URL = "Called with POST: https, a host of the public internet, no user name in it."
_TYPES = "Which events are told; empty: all of them. See GET /v1/webhook-event-types."
_SCHEME = "`v1`: HMAC-SHA256 with a shared secret; `v1a`: Ed25519, for which a public key is enough"

_ENDPOINT: dict[str, Any] = {
    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a61",
    "url": "https://shop.example/lockstock-webhooks",
    "description": "orders",
    "event_types": ["order.completed", "delivery.failed"],
    "is_enabled": True,
    "disabled_because": None,
    "disabled_at": None,
    "failures": 0,
    "failing_since": None,
    "last_success_at": "2026-11-27T09:00:00Z",
    "keys": [{"scheme": "v1", "public_key": None, "ends_at": None}],
    "created_at": "2026-11-27T09:00:00Z",
    "secret": None,
}


class WebhookEndpointCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "https://shop.example/lockstock-webhooks",
                    "event_types": ["order.completed", "delivery.failed"],
                }
            ]
        }
    )

    url: Url = Field(description=_URL)
    description: Description = Field(default="", description="For people.")
    event_types: EventTypes = Field(default=[], description=_TYPES)
    signatures: Schemes = Field(default=["v1"], description=f"{_SCHEME}.")

    def to_domain(self, merchant_id: UUID) -> WebhookEndpoint:
        return WebhookEndpoint(
            id=new_id(),
            merchant_id=merchant_id,
            url=self.url,
            description=self.description,
            event_types=tuple(self.event_types),
        )

    def schemes(self) -> list[Scheme]:
        return [Scheme(each) for each in self.signatures]


class WebhookEndpointChange(Model):
    """What is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_enabled": True}]})

    url: Url = Field(default="", description=_URL, validate_default=False)
    description: Description = Field(default="", description="For people.")
    event_types: EventTypes = Field(default=[], description=_TYPES)
    is_enabled: bool = Field(
        default=True,
        description="Off: what happens is only noted as missed. On again: its failures are "
        "forgotten, and what was missed can be redelivered.",
    )

    def values(self) -> dict[str, Any]:
        """What was sent."""
        found = self.model_dump(exclude_unset=True)
        if "event_types" in found:
            found["event_types"] = tuple(found["event_types"])
        return found


class WebhookKeyCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"signature": "v1", "overlap_seconds": 86_400}]}
    )

    signature: Literal["v1", "v1a"] = Field(default="v1", description=f"{_SCHEME}.")
    overlap_seconds: Annotated[int, Field(ge=0, le=2_592_000, strict=True)] = Field(
        default=86_400, description="How long the key before signs too; seconds."
    )

    def scheme(self) -> Scheme:
        return Scheme(self.signature)

    def overlap(self) -> timedelta:
        return timedelta(seconds=self.overlap_seconds)


class WebhookKeyRead(Model):
    """A key that signs at present; its secret is not in here."""

    scheme: Literal["v1", "v1a"]
    public_key: str | None = Field(description="`whpk_...` of a `v1a` key.")
    ends_at: datetime | None = Field(description="Set while it is being replaced.")

    @classmethod
    def from_domain(cls, key: EndpointKey) -> Self:
        return cls(scheme=key.key.scheme.value, public_key=key.key.public_text, ends_at=key.ends_at)


class WebhookEndpointRead(Model):
    """Where a shop is told of what happens, and how that goes."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENDPOINT]})

    id: UUID
    url: str
    description: str
    event_types: list[str]
    is_enabled: bool
    disabled_because: Disabled | None = Field(
        description="`failing`: not one success for days; `gone`: it answered 410."
    )
    disabled_at: datetime | None
    failures: int = Field(description="Attempts in a row that failed.")
    failing_since: datetime | None
    last_success_at: datetime | None
    keys: list[WebhookKeyRead]
    created_at: datetime | None
    secret: str | None = Field(
        default=None, description="`whsec_...`; shown once, when it is made, and never again."
    )

    @classmethod
    def from_domain(cls, endpoint: WebhookEndpoint) -> Self:
        return cls(
            id=endpoint.id,
            url=endpoint.url,
            description=endpoint.description,
            event_types=list(endpoint.event_types),
            is_enabled=endpoint.is_enabled,
            disabled_because=endpoint.disabled,
            disabled_at=endpoint.disabled_at,
            failures=endpoint.failures,
            failing_since=endpoint.failing_since,
            last_success_at=endpoint.last_success_at,
            keys=[WebhookKeyRead.from_domain(each) for each in endpoint.keys],
            created_at=endpoint.created_at,
        )


class WebhookEventTypeRead(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "order.completed", "summary": "Every line of an order was delivered."}
            ]
        }
    )

    name: str
    summary: str


class WebhookEventTypes(Model):
    items: list[WebhookEventTypeRead]
