from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import Model, Name
from order.merchants.domain import Channel, Merchant

ChannelKind = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9-]*$"),
    Field(description="`shop`, `partner` or the name of a channel adapter", examples=["shop"]),
]


class MerchantCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Lucky Cards Ltd"}]})

    name: Name


class MerchantRead(Model):
    id: UUID
    name: str
    created_at: datetime

    @classmethod
    def from_domain(cls, merchant: Merchant) -> Self:
        return cls(id=merchant.id, name=merchant.name, created_at=merchant.created_at)


class ChannelCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Own shop", "kind": "shop", "trusted": True}]}
    )

    name: Name
    kind: ChannelKind = "shop"
    trusted: bool = Field(
        default=False, description="whether the channel's own word that money came is believed"
    )


class ChannelRead(Model):
    id: UUID
    merchant_id: UUID
    name: str
    kind: str
    trusted: bool
    active: bool
    created_at: datetime

    @classmethod
    def from_domain(cls, channel: Channel) -> Self:
        return cls(
            id=channel.id,
            merchant_id=channel.merchant_id,
            name=channel.name,
            kind=channel.kind,
            trusted=channel.is_trusted,
            active=channel.is_active,
            created_at=channel.created_at,
        )
