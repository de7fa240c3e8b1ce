from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import CodeText, Model, Name
from kit.http.wire import AMOUNT_MINOR_MAX
from order.catalogue.schemas import ShortageModel
from order.merchants.domain import (
    Channel,
    FeeBearer,
    FeeOnRefund,
    FeeRule,
    LatePayments,
    Merchant,
    RiskDefault,
)

SKUS_MAX = 1_000
MIN_VALID_SECONDS_MAX = 315_360_000
"""Ten years, as in the vault."""

ChannelKind = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9-]*$"),
    Field(description="`shop`, `partner` or the name of a channel adapter", examples=["shop"]),
]
Region = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"),
    Field(description="ISO 3166: where the channel's buyers are", examples=["CN"]),
]
Skus = Annotated[list[CodeText], Field(max_length=SKUS_MAX)]
MinValid = Annotated[
    int,
    Field(
        ge=0,
        le=MIN_VALID_SECONDS_MAX,
        description="only units that stay valid at least so long are sold here; seconds",
    ),
]
Late = Annotated[
    Literal["give_back", "expired", "expired_or_cancelled"],
    Field(
        description="of which ended orders a whole price that a provider tells of late is kept "
        "while their goods are held anew; of others it goes back at once"
    ),
]
Default = Annotated[
    Literal["wait", "allow", "hold"],
    Field(
        description="what counts for a paid order that risk says nothing about; a late word of "
        "risk undoes no `allow`, and ends a `hold`"
    ),
]
RiskWait = Annotated[
    int,
    Field(ge=1, le=86_400, strict=True, description="how long risk may be silent before; seconds"),
]
ChannelShortage = Annotated[
    ShortageModel | None,
    Field(description="of products that do not say; null: the merchant's shortage policy counts"),
]
_ALLOWED = "only these SKUs are sold here; empty: all"
_DENIED = "these SKUs are never sold here"
_TRUSTED = "whether the channel's own word that money came is believed"


class MerchantCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Lucky Cards Ltd"}]})

    name: Name


class MerchantEdit(Model):
    """What is absent stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Lucky Cards Ltd"}]})

    name: Name | None = None


class SuspensionCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "agreement ended on 30 November"}]}
    )

    reason: Name


class MerchantRead(Model):
    id: UUID
    name: str
    created_at: datetime
    suspended_at: datetime | None
    suspended_reason: str

    @classmethod
    def from_domain(cls, merchant: Merchant) -> Self:
        return cls(
            id=merchant.id,
            name=merchant.name,
            created_at=merchant.created_at,
            suspended_at=merchant.suspended_at,
            suspended_reason=merchant.suspended_reason,
        )


class FeeModel(Model):
    """Per order: `basis_points` / 10 000 of its total and `fixed` minor units of its currency."""

    basis_points: Annotated[int, Field(ge=0, le=10_000, strict=True, examples=[60])] = 0
    fixed: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX, strict=True, examples=[30])] = 0
    bearer: Literal["merchant", "platform"] = "merchant"
    on_refund: Literal["kept", "returned"] = Field(
        default="kept", description="whether the channel gives it back with a refund, in proportion"
    )

    def to_domain(self) -> FeeRule:
        return FeeRule(
            self.basis_points, self.fixed, FeeBearer(self.bearer), FeeOnRefund(self.on_refund)
        )

    @classmethod
    def from_domain(cls, fee: FeeRule) -> Self:
        return cls(
            basis_points=fee.basis_points,
            fixed=fee.fixed_minor,
            bearer=fee.bearer.value,
            on_refund=fee.on_refund.value,
        )


class ChannelCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Own shop", "kind": "shop", "trusted": True},
                {
                    "name": "Partner",
                    "kind": "partner",
                    "fee": {"basis_points": 60, "fixed": 30, "bearer": "merchant"},
                    "denied_skus": ["GAME-500"],
                    "region": "CN",
                    "min_valid_seconds": 2592000,
                },
            ]
        }
    )

    name: Name
    kind: ChannelKind = "shop"
    trusted: bool = Field(default=False, description=_TRUSTED)
    active: bool = Field(default=True, description="whether it takes new orders")
    price_list_id: UUID | None = None
    fee: FeeModel = FeeModel()
    allowed_skus: Skus = Field(default=[], description=_ALLOWED)
    denied_skus: Skus = Field(default=[], description=_DENIED)
    region: Region | None = Field(
        default=None, description="where its buyers are, unless an order names another region"
    )
    min_valid_seconds: MinValid = 0
    late_payments: Late = "expired"
    risk_default: Default = "wait"
    risk_wait_seconds: RiskWait = 30
    shortage: ChannelShortage = None

    def rules(self) -> dict[str, Any]:
        """Fields of Channel -> values, besides its name, kind and trust."""
        return {
            "is_active": self.active,
            "price_list_id": self.price_list_id,
            "fee": self.fee.to_domain(),
            "allowed_skus": frozenset(self.allowed_skus),
            "denied_skus": frozenset(self.denied_skus),
            "region": self.region,
            "min_valid_seconds": self.min_valid_seconds,
            "late_payments": LatePayments(self.late_payments),
            "risk_default": RiskDefault(self.risk_default),
            "risk_wait_seconds": self.risk_wait_seconds,
            "shortage": self.shortage.model_dump() if self.shortage else None,
        }


class ChannelEdit(Model):
    """What is absent stays as it is; null takes a price list, a region or a shortage rule away."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"active": False}, {"allowed_skus": ["GAME-100"]}]}
    )

    name: Name | None = None
    kind: ChannelKind | None = None
    trusted: bool | None = None
    active: bool | None = None
    price_list_id: UUID | None = None
    fee: FeeModel | None = None
    allowed_skus: Skus | None = None
    denied_skus: Skus | None = None
    region: Region | None = None
    min_valid_seconds: MinValid | None = None
    late_payments: Late | None = None
    risk_default: Default | None = None
    risk_wait_seconds: RiskWait | None = None
    shortage: ChannelShortage = None

    def changes(self) -> dict[str, Any]:
        """Fields of Channel -> new values."""
        found: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "is_trusted": self.trusted,
            "is_active": self.active,
            "fee": self.fee.to_domain() if self.fee else None,
            "allowed_skus": _set_of(self.allowed_skus),
            "denied_skus": _set_of(self.denied_skus),
            "min_valid_seconds": self.min_valid_seconds,
            "late_payments": LatePayments(self.late_payments) if self.late_payments else None,
            "risk_default": RiskDefault(self.risk_default) if self.risk_default else None,
            "risk_wait_seconds": self.risk_wait_seconds,
        }
        found = {name: value for name, value in found.items() if value is not None}
        for name in ("price_list_id", "region"):
            if name in self.model_fields_set:
                found[name] = getattr(self, name)
        if "shortage" in self.model_fields_set:
            found["shortage"] = self.shortage.model_dump() if self.shortage else None
        return found


class ChannelRead(Model):
    id: UUID
    merchant_id: UUID
    name: str
    kind: str
    trusted: bool
    active: bool
    price_list_id: UUID | None
    fee: FeeModel
    allowed_skus: list[str]
    denied_skus: list[str]
    region: str | None
    min_valid_seconds: int
    late_payments: Late
    risk_default: Default
    risk_wait_seconds: int
    shortage: ChannelShortage
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
            price_list_id=channel.price_list_id,
            fee=FeeModel.from_domain(channel.fee),
            allowed_skus=sorted(channel.allowed_skus),
            denied_skus=sorted(channel.denied_skus),
            region=channel.region,
            min_valid_seconds=channel.min_valid_seconds,
            late_payments=channel.late_payments.value,
            risk_default=channel.risk_default.value,
            risk_wait_seconds=channel.risk_wait_seconds,
            shortage=channel.shortage,
            created_at=channel.created_at,
        )


def _set_of(skus: list[str] | None) -> frozenset[str] | None:
    return None if skus is None else frozenset(skus)
