from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import Model, Name, Timestamp
from order.api_keys.domain import ApiKey, Role

Scope = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z][a-z-]*:[a-z]+$")]
Scopes = Annotated[
    list[Scope], Field(min_length=1, max_length=60, description="what it may do; or give a role")
]
RoleName = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z-]+$")]
NetworkText = Annotated[str, StringConstraints(min_length=2, max_length=43)]
AllowedIps = Annotated[
    list[NetworkText],
    Field(
        max_length=50,
        description="networks (CIDR, IPv4 and IPv6) it may be used from; empty: anywhere",
        examples=[["203.0.113.0/24", "2001:db8::/32"]],
    ),
]


class ApiKeyCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "shop backend", "scopes": ["orders:read", "orders:write"]},
                {"name": "Mei", "role": "support", "allowed_ips": ["203.0.113.0/24"]},
            ]
        }
    )

    name: Name = Field(description="What uses it. Two live keys may share a name, for rotation.")
    scopes: Scopes | None = None
    role: RoleName | None = Field(default=None, description="a bundle of scopes, see /v1/roles")
    allowed_ips: AllowedIps = Field(default=[])
    mode: Literal["live", "test"] = "live"
    expires_at: Timestamp | None = None
    merchant_id: UUID | None = Field(
        default=None, description="only the platform may issue keys for others; null: its own"
    )


class ApiKeyEdit(Model):
    """What is absent stays as it is; a role replaces the scopes and the other way round."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"allowed_ips": ["203.0.113.0/24"]}, {"role": "auditor"}]}
    )

    scopes: Scopes | None = None
    role: RoleName | None = None
    allowed_ips: AllowedIps | None = None


class ApiKeyRead(Model):
    id: str
    merchant_id: UUID | None
    name: str
    mode: str
    role: str | None
    scopes: list[str]
    allowed_ips: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    suspended_at: datetime | None = Field(description="while its merchant is suspended")
    last_used_at: datetime | None = Field(description="its last call to `order`, to the minute")
    warning: Literal["expired", "expires_soon"] | None = Field(
        description="`expires_soon`: within 14 days"
    )

    @classmethod
    def from_domain(cls, key: ApiKey) -> Self:
        return cls(
            id=key.id,
            merchant_id=key.merchant_id,
            name=key.name,
            mode=key.mode,
            role=key.role,
            scopes=list(key.scopes),
            allowed_ips=list(key.allowed_ips),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            suspended_at=key.suspended_at,
            last_used_at=key.last_used_at,
            # Days are judged here, so this machine's clock will do.
            warning=key.warning(datetime.now(UTC)),
        )


class ApiKeyIssued(ApiKeyRead):
    """`api_key` is shown once: it is null when this answer is a replay."""

    api_key: str | None = None


class RoleRead(Model):
    name: str
    description: str
    scopes: list[str]

    @classmethod
    def from_domain(cls, role: Role) -> Self:
        return cls(name=role.name, description=role.description, scopes=sorted(role.scopes))
