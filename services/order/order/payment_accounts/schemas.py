from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import Model, Name
from order.payment_accounts.domain import PaymentAccount

ProviderName = Annotated[
    str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_]*$")
]
MemberName = Annotated[
    str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_]*$")
]
# Keys and certificates have several lines.
Value = Annotated[str, StringConstraints(min_length=1, max_length=16_384, pattern=r"^[^\x00]*$")]
_MEMBERS_MAX = 20


class PaymentAccountCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "provider": "stripe",
                    "name": "Cards",
                    "settings": {},
                    "secrets": {"api_key": "sk_test_0123", "webhook_secrets": "whsec_0123"},
                }
            ]
        },
        hide_input_in_errors=True,
    )

    provider: ProviderName = Field(description="an enabled provider that has accounts")
    name: Name = Field(description="for people")
    settings: dict[MemberName, Value] = Field(
        default_factory=dict, max_length=_MEMBERS_MAX, description="what may be read back"
    )
    secrets: dict[MemberName, Value] = Field(
        default_factory=dict, max_length=_MEMBERS_MAX, description="sealed at once, never read back"
    )


class PaymentAccountEdit(Model):
    """What is absent stays; a member of `settings` or `secrets` that is null is removed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"secrets": {"webhook_secrets": "whsec_0123 whsec_4567"}}]},
        hide_input_in_errors=True,
    )

    name: Name | None = None
    settings: dict[MemberName, Value | None] | None = Field(default=None, max_length=_MEMBERS_MAX)
    secrets: dict[MemberName, Value | None] | None = Field(default=None, max_length=_MEMBERS_MAX)
    active: bool | None = None


class PaymentAccountRead(Model):
    id: UUID
    merchant_id: UUID
    provider: str
    name: str
    settings: Mapping[str, str]
    secrets: list[str] = Field(description="the names of those that are set")
    active: bool
    callback_path: str = Field(description="tell the provider to call this path of this service")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_domain(cls, account: PaymentAccount) -> Self:
        return cls(
            id=account.id,
            merchant_id=account.merchant_id,
            provider=account.provider,
            name=account.name,
            settings=dict(account.settings),
            secrets=list(account.secret_names),
            active=account.is_active,
            callback_path=f"/v1/payment-callbacks/{account.provider}/{account.id}",
            created_at=account.created_at,
            updated_at=account.updated_at,
        )
