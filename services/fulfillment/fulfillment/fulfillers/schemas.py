"""The wire of fulfillers."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.fulfillers.domain import Fulfiller
from kit.http import CodeText, Model
from kit.ids import new_id

Url = Annotated[
    str, StringConstraints(min_length=8, max_length=2_000, pattern=r"^https?://[!-~]+$")
]
Queue = Annotated[str, StringConstraints(max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]
Timeout = Annotated[float, Field(ge=0.1, le=30)]
Deadline = Annotated[float, Field(ge=1, le=2_592_000)]

_URL = "Called with POST and a Standard Webhooks signature, once for each line."
_TIMEOUT = "How long one answer may take; seconds."
_DEADLINE = "How long it is asked before people look; seconds."
_QUEUE = "The operators' queue for what it did not decide; empty: the product's."

_FULFILLER: dict[str, Any] = {
    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a91",
    "name": "desk-system",
    "url": "https://desk.shop.example/fulfil",
    "timeout_seconds": 10.0,
    "deadline_seconds": 86400.0,
    "queue": "desk",
    "is_enabled": True,
    "created_at": "2026-11-27T09:00:00Z",
    "secret": None,
}


class FulfillerCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "desk-system", "url": "https://desk.shop.example/fulfil", "queue": "desk"}
            ]
        }
    )

    name: CodeText = Field(description="What products name it by.")
    url: Url = Field(description=_URL)
    timeout_seconds: Timeout = Field(default=10.0, description=_TIMEOUT)
    deadline_seconds: Deadline = Field(default=86_400.0, description=_DEADLINE)
    queue: Queue = Field(default="", description=_QUEUE)

    def to_domain(self, merchant_id: UUID) -> Fulfiller:
        return Fulfiller(id=new_id(), merchant_id=merchant_id, **self.model_dump())


class FulfillerChange(Model):
    """What is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_enabled": True}]})

    url: Url = Field(default="", description=_URL, validate_default=False)
    timeout_seconds: Timeout = Field(default=10.0, description=_TIMEOUT)
    deadline_seconds: Deadline = Field(default=86_400.0, description=_DEADLINE)
    queue: Queue = Field(default="", description=_QUEUE)
    is_enabled: bool = Field(default=True, description="Off: its lines wait for people.")

    def values(self) -> dict[str, Any]:
        """What was sent."""
        return self.model_dump(exclude_unset=True)


class FulfillerRead(Model):
    """A merchant's own system that delivers lines."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FULFILLER]})

    id: UUID
    name: str
    url: str
    timeout_seconds: float
    deadline_seconds: float
    queue: str
    is_enabled: bool
    created_at: datetime | None
    secret: str | None = Field(
        default=None, description="`whsec_...`; shown once, when it is made, and never again."
    )

    @classmethod
    def from_domain(cls, fulfiller: Fulfiller) -> Self:
        return cls(
            id=fulfiller.id,
            name=fulfiller.name,
            url=fulfiller.url,
            timeout_seconds=fulfiller.timeout_seconds,
            deadline_seconds=fulfiller.deadline_seconds,
            queue=fulfiller.queue,
            is_enabled=fulfiller.is_enabled,
            created_at=fulfiller.created_at,
        )
