from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import CodeText, Model, MoneyModel, Reference
from order.checkouts.domain import Checkout, CheckoutState

ProviderName = Annotated[
    str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_]*$")
]
ReturnUrl = Annotated[
    str,
    StringConstraints(min_length=8, max_length=500, pattern=r"^https?://[^\s\x00-\x1f\x7f]+$"),
]


class CheckoutCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"provider": "stripe", "return_url": "https://shop.example/thanks"}]
        }
    )

    provider: ProviderName
    method: CodeText | None = Field(
        default=None, description="one of the provider's ways to pay; its first when absent"
    )
    account_id: UUID | None = Field(
        default=None, description="needed only when the merchant has several active accounts there"
    )
    return_url: ReturnUrl | None = Field(
        default=None, description="where the provider sends the buyer afterwards"
    )
    payer: Reference | None = Field(
        default=None, description="the buyer's id at the provider (WeChat `jsapi`: openid)"
    )


class CheckoutRead(Model):
    """One of `redirect_url`, `code_url`, `form` and `parameters` leads the buyer on."""

    id: UUID
    order_id: UUID
    provider: str
    method: str
    state: CheckoutState
    amount: MoneyModel
    expires_at: datetime
    redirect_url: str | None = Field(description="send the buyer's browser there")
    code_url: str | None = Field(description="show it as a QR code")
    form_action: str | None = Field(description="post `form` there from the buyer's browser")
    form: dict[str, str] | None
    parameters: dict[str, str] | None = Field(description="for the provider's client library")

    @classmethod
    def from_domain(cls, checkout: Checkout) -> Self:
        given: dict[str, Any] = {name: value or None for name, value in checkout.handover.items()}
        names = ("redirect_url", "code_url", "form_action", "form", "parameters")
        return cls(
            id=checkout.id,
            order_id=checkout.order_id,
            provider=checkout.provider,
            method=checkout.method,
            state=checkout.state,
            amount=MoneyModel.from_domain(checkout.amount),
            expires_at=checkout.expires_at,
            **{name: given.get(name) for name in names},
        )
