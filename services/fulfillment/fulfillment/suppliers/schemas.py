"""The wire of suppliers."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, SecretStr, StringConstraints

from fulfillment.suppliers.domain import Supplier, Times
from kit.http import CodeText, Model
from kit.ids import new_id

BaseUrl = Annotated[str, StringConstraints(max_length=200, pattern=r"^https?://[^\s?#\x00-\x1f]+$")]
AccountId = Annotated[str, StringConstraints(max_length=200, pattern=r"^[\x21-\x7e]*$")]
Secret = Annotated[SecretStr, Field(min_length=8, max_length=500)]
Timeout = Annotated[float | None, Field(ge=0.05, le=60)]
Delay = Annotated[float | None, Field(ge=0, le=86_400)]
Ttl = Annotated[float | None, Field(ge=0, le=2_592_000)]

_BASE_URL = "Where the supplier answers."
_ACCOUNT = "What the supplier calls you."
_SIGNING = "Signs your calls. Sealed at rest, never read back."
_TIMEOUT = "Deadline of one call; null: what the connector declares."
_DELAY = "How long after a call the supplier may not yet know it; null: the connector's."
_TTL = "How long an unknown outcome is asked for before a person must look; null: the connector's."


class SupplierCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "acme",
                    "connector": "generic",
                    "base_url": "https://api.acme.example/v1",
                    "account_id": "shop-17",
                    "secret": "3f0c9a7be1d24c55",
                }
            ]
        }
    )

    name: CodeText = Field(description="What products' offers name it by.")
    connector: CodeText = Field(description="Which protocol it speaks.")
    base_url: BaseUrl | None = Field(default=None, description=_BASE_URL)
    account_id: AccountId = Field(default="", description=_ACCOUNT)
    secret: Secret = Field(description=_SIGNING)
    timeout_seconds: Timeout = Field(default=None, description=_TIMEOUT)
    visibility_delay_seconds: Delay = Field(default=None, description=_DELAY)
    unknown_ttl_seconds: Ttl = Field(default=None, description=_TTL)

    def to_domain(self, merchant_id: UUID) -> Supplier:
        return Supplier(
            id=new_id(),
            merchant_id=merchant_id,
            name=self.name,
            connector=self.connector,
            base_url=self.base_url or "",
            account_id=self.account_id,
            times=Times(
                self.timeout_seconds, self.visibility_delay_seconds, self.unknown_ttl_seconds
            ),
        )


class SupplierChange(Model):
    """What is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_enabled": True}]})

    base_url: BaseUrl = Field(default="", description=_BASE_URL, validate_default=False)
    account_id: AccountId = Field(default="", description=_ACCOUNT)
    secret: Secret | None = Field(default=None, description=_SIGNING)
    is_enabled: bool = Field(
        default=True, description="Off: nothing new is bought; what was sent is asked for later."
    )
    timeout_seconds: Timeout = Field(default=None, description=_TIMEOUT)
    visibility_delay_seconds: Delay = Field(default=None, description=_DELAY)
    unknown_ttl_seconds: Ttl = Field(default=None, description=_TTL)

    def values(self) -> dict[str, Any]:
        """What was sent, but for the secret."""
        return self.model_dump(exclude_unset=True, exclude={"secret"})


class SupplierRead(Model):
    """An account with a supplier, without its secret."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a31",
                    "name": "acme",
                    "connector": "generic",
                    "base_url": "https://api.acme.example/v1",
                    "account_id": "shop-17",
                    "is_enabled": True,
                    "timeout_seconds": None,
                    "visibility_delay_seconds": None,
                    "unknown_ttl_seconds": None,
                    "created_at": "2026-11-27T09:00:00Z",
                }
            ]
        }
    )

    id: UUID
    name: str
    connector: str
    base_url: str
    account_id: str
    is_enabled: bool
    timeout_seconds: float | None
    visibility_delay_seconds: float | None
    unknown_ttl_seconds: float | None
    created_at: datetime | None

    @classmethod
    def from_domain(cls, supplier: Supplier) -> Self:
        return cls(
            id=supplier.id,
            name=supplier.name,
            connector=supplier.connector,
            base_url=supplier.base_url,
            account_id=supplier.account_id,
            is_enabled=supplier.is_enabled,
            timeout_seconds=supplier.times.timeout_seconds,
            visibility_delay_seconds=supplier.times.visibility_delay_seconds,
            unknown_ttl_seconds=supplier.times.unknown_ttl_seconds,
            created_at=supplier.created_at,
        )
