"""A merchant's account with a payment provider: settings that may be read, secrets that may not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class PaymentAccount:
    """`secret_names` tells which secrets are set; `sealed` is what they are at rest."""

    id: UUID
    merchant_id: UUID
    provider: str
    name: str
    settings: Mapping[str, str]
    secret_names: tuple[str, ...]
    is_active: bool
    key_id: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    updated_at: datetime


class PaymentAccountNotFound(NotFound):
    """There is no such payment account, or it is not yours."""

    code = "payment_account_not_found"


class ProviderNotFound(NotFound):
    """No payment provider of this name is enabled here, or it needs no accounts."""

    code = "provider_not_found"


class NoPaymentAccount(Conflict):
    """The merchant has no active account with this provider; make one first."""

    code = "no_payment_account"


class SeveralPaymentAccounts(Conflict):
    """More than one account could be meant; name it (`account_id`)."""

    code = "several_payment_accounts"


class TooManyPaymentAccounts(Conflict):
    """The merchant has as many accounts as it may; edit one of them."""

    code = "too_many_payment_accounts"
