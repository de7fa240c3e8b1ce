"""The wire of suppliers."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StringConstraints

from fulfillment.suppliers.domain import Secrets, Supplier, Times
from kit.http import CodeText, Model
from kit.ids import new_id

BaseUrl = Annotated[str, StringConstraints(max_length=200, pattern=r"^https?://[^\s?#\x00-\x1f]+$")]
AccountId = Annotated[str, StringConstraints(max_length=200, pattern=r"^[\x21-\x7e]*$")]
Secret = Annotated[SecretStr, Field(min_length=8, max_length=4_000)]
OPTIONS_BYTES_MAX = 16_384
Timeout = Annotated[float | None, Field(ge=0.05, le=60)]
Delay = Annotated[float | None, Field(ge=0, le=86_400)]
Ttl = Annotated[float | None, Field(ge=0, le=2_592_000)]


def _small(options: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(orjson.dumps(options))
    except orjson.JSONEncodeError:
        raise ValueError("no plain JSON") from None
    if size > OPTIONS_BYTES_MAX or "\\u0000" in orjson.dumps(options).decode():
        raise ValueError(f"at most {OPTIONS_BYTES_MAX} bytes, and no NUL")
    return options


Options = Annotated[dict[str, Any], AfterValidator(_small)]

_BASE_URL = "Where the supplier answers."
_ACCOUNT = "What the supplier calls you."
_SIGNING = "Signs your calls. Sealed at rest, never read back."
_CALLING = "Signs the supplier's calls to you where `secret` does not. Sealed as well."
_OVERLAP = (
    "Where a secret here is new: how long callbacks signed with the one before are believed too."
)
OVERLAP_SECONDS = 86_400
_OPTIONS = "What the connector must be told besides; see its README lines. Nothing secret."
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
    callback_secret: Secret | None = Field(default=None, description=_CALLING)
    options: Options = Field(default_factory=dict, description=_OPTIONS)
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
            options=self.options,
        )

    def secrets(self) -> Secrets:
        return Secrets(self.secret.get_secret_value(), _plain(self.callback_secret))


class SupplierChange(Model):
    """What is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_enabled": True}]})

    base_url: BaseUrl = Field(default="", description=_BASE_URL, validate_default=False)
    account_id: AccountId = Field(default="", description=_ACCOUNT)
    secret: Secret | None = Field(default=None, description=_SIGNING)
    callback_secret: Secret | None = Field(default=None, description=_CALLING)
    callback_overlap_seconds: Annotated[int, Field(ge=0, le=2_592_000, strict=True)] = Field(
        default=OVERLAP_SECONDS, description=_OVERLAP
    )
    options: Options = Field(default_factory=dict, description=_OPTIONS)
    is_enabled: bool = Field(
        default=True, description="Off: nothing new is bought; what was sent is asked for later."
    )
    timeout_seconds: Timeout = Field(default=None, description=_TIMEOUT)
    visibility_delay_seconds: Delay = Field(default=None, description=_DELAY)
    unknown_ttl_seconds: Ttl = Field(default=None, description=_TTL)

    def values(self) -> dict[str, Any]:
        """What was sent, but for the secrets."""
        return self.model_dump(exclude_unset=True, exclude=_OF_SECRETS)

    def overlap(self) -> timedelta:
        return timedelta(seconds=self.callback_overlap_seconds)

    def secrets(self) -> Secrets:
        return Secrets(_plain(self.secret), _plain(self.callback_secret))


_OF_SECRETS = {"secret", "callback_secret", "callback_overlap_seconds"}


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


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
                    "options": {},
                    "has_callback_secret": False,
                    "former_callback_until": None,
                    "callback_url": "https://pay.example/v1/supplier-callbacks/"
                    "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a31",
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
    options: dict[str, Any]
    has_callback_secret: bool
    former_callback_until: datetime | None = Field(
        description="Until then callbacks signed with the secret before are believed too."
    )
    callback_url: str = Field(description="What to tell the supplier, where it calls back.")
    is_enabled: bool
    timeout_seconds: float | None
    visibility_delay_seconds: float | None
    unknown_ttl_seconds: float | None
    created_at: datetime | None

    @classmethod
    def from_domain(cls, supplier: Supplier, callback_url: str) -> Self:
        return cls(
            id=supplier.id,
            name=supplier.name,
            connector=supplier.connector,
            base_url=supplier.base_url,
            account_id=supplier.account_id,
            options=dict(supplier.options),
            has_callback_secret=supplier.has_callback_secret,
            former_callback_until=supplier.former_callback_until,
            callback_url=callback_url,
            is_enabled=supplier.is_enabled,
            timeout_seconds=supplier.times.timeout_seconds,
            visibility_delay_seconds=supplier.times.visibility_delay_seconds,
            unknown_ttl_seconds=supplier.times.unknown_ttl_seconds,
            created_at=supplier.created_at,
        )
