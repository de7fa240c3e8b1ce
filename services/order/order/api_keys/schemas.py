from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import Model, Name, Timestamp
from order.api_keys.domain import ApiKey

Scope = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z][a-z-]*:[a-z]+$")]


class ApiKeyCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "shop backend", "scopes": ["orders:read", "orders:write"]}]
        }
    )

    name: Name = Field(description="What uses it. Two live keys may share a name, for rotation.")
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=60)]
    mode: Literal["live", "test"] = "live"
    expires_at: Timestamp | None = None
    merchant_id: UUID | None = Field(
        default=None, description="only the platform may issue keys for others; null: its own"
    )


class ApiKeyRead(Model):
    id: str
    merchant_id: UUID | None
    name: str
    mode: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def from_domain(cls, key: ApiKey) -> Self:
        return cls(
            id=key.id,
            merchant_id=key.merchant_id,
            name=key.name,
            mode=key.mode,
            scopes=list(key.scopes),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )


class ApiKeyIssued(ApiKeyRead):
    """`api_key` is shown once: it is null when this answer is a replay."""

    api_key: str | None = None
