from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import CurrencyCode, Model, Reference
from kit.http.wire import AMOUNT_MINOR_MAX
from ledger.prepaid.domain import Hold, HoldState, Partner

_CHANNEL = "0190b1c2-0000-7000-8000-0000000000c1"
Amount = Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX, strict=True, examples=[50_000])]
Currency = Annotated[CurrencyCode, Field(examples=["CNY"])]


class PartnerPut(Model):
    """A partner's balance in a currency; opened by this, changed by it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"currency": "CNY", "credit_limit": 100_000}]}
    )

    currency: Currency
    credit_limit: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX, strict=True)] = Field(
        default=0, description="how far the balance may be below zero, minor units"
    )


class PartnerRead(Model):
    """available = balance - held + credit_limit; it is never negative by a hold."""

    partner: str
    currency: str
    balance: int
    held: int
    credit_limit: int
    available: int

    @classmethod
    def from_domain(cls, partner: Partner) -> Self:
        return cls(
            partner=partner.code,
            currency=partner.currency,
            balance=partner.balance_minor,
            held=partner.held_minor,
            credit_limit=partner.credit_limit_minor,
            available=partner.available_minor,
        )


class TopUpCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"currency": "CNY", "amount": 50_000, "reference": "BANK-2026-1127"}]
        }
    )

    currency: Currency
    amount: Amount
    reference: Reference = Field(description="of the payment; topped up once per reference")


class HoldCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "currency": "CNY",
                    "amount": 1_990,
                    "channel_id": _CHANNEL,
                    "reference": "ORDER-77",
                }
            ]
        }
    )

    currency: Currency
    amount: Amount
    channel_id: UUID
    order_id: UUID | None = None
    reference: Reference = Field(description="the same again is the same hold")


class HoldCapture(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 1_500}]})

    amount: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX, strict=True)] | None = Field(
        default=None, description="all that is held if left out; the rest is free again"
    )


class HoldRead(Model):
    id: UUID
    partner: str
    currency: str
    amount: int
    captured: int
    state: HoldState
    channel_id: UUID
    order_id: UUID | None
    reference: str
    created_at: datetime
    expires_at: datetime | None = Field(description="not captured until then, it is free again")
    ended_at: datetime | None

    @classmethod
    def from_domain(cls, hold: Hold) -> Self:
        return cls(
            id=hold.id,
            partner=hold.partner,
            currency=hold.currency,
            amount=hold.amount_minor,
            captured=hold.captured_minor,
            state=hold.state,
            channel_id=hold.channel_id,
            order_id=hold.order_id,
            reference=hold.reference,
            created_at=hold.created_at,
            expires_at=hold.expires_at,
            ended_at=hold.ended_at,
        )
