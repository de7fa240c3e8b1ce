"""The wire of merchants' senders."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, SecretStr

from fulfillment.sender_accounts.domain import OwnSender
from kit.http import CodeText, Model

Value = Annotated[str, Field(max_length=300)] | int | float | bool
SenderSettings = Annotated[dict[Annotated[str, Field(max_length=40)], Value], Field(max_length=20)]
Secret = Annotated[SecretStr, Field(max_length=500)]

_SETTINGS = "What this sender is told by; its page says what that is."
_SECRET = "Password or signing key. Sealed at rest, never read back."  # noqa: S105 - a description
_EXAMPLE: dict[str, Any] = {
    "host": "mail.shop.example",
    "port": 587,
    "security": "starttls",
    "username": "shop",
    "from_address": "orders@shop.example",
    "from_name": "The Shop",
}


class SenderCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"sender": "smtp", "settings": _EXAMPLE, "secret": "3f0c9a7be1d24c55"}]
        }
    )

    sender: CodeText = Field(description="Which of them: `smtp`, `aliyun`, `tencent`, `twilio`.")
    settings: SenderSettings = Field(description=_SETTINGS)
    secret: Secret = Field(default=SecretStr(""), description=_SECRET)


class SenderChange(Model):
    """What is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_enabled": False}]})

    settings: SenderSettings | None = Field(default=None, description=_SETTINGS)
    secret: Secret | None = Field(default=None, description=_SECRET)
    is_enabled: bool | None = Field(
        default=None, description="Off: this service's own sender of the channel is used, if any."
    )


class SenderRead(Model):
    """A sender without its secret."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a31",
                    "sender": "smtp",
                    "channel": "mail",
                    "settings": _EXAMPLE,
                    "is_enabled": True,
                    "created_at": "2026-11-27T08:00:00Z",
                }
            ]
        }
    )

    id: UUID
    sender: str
    channel: str
    settings: dict[str, Any]
    is_enabled: bool
    created_at: datetime | None

    @classmethod
    def from_domain(cls, own: OwnSender) -> "SenderRead":
        return cls(
            id=own.id,
            sender=own.sender,
            channel=own.channel.value,
            settings=dict(own.settings),
            is_enabled=own.is_enabled,
            created_at=own.created_at,
        )
