from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import CurrencyCode, Model
from ledger.accounts.domain import Account, AccountKey, AccountKind, BalanceAt

AccountCode = Annotated[
    str,
    StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(examples=["bank:ccb"]),
]


class AccountOpen(Model):
    """A merchant's own account; those that events post to open by themselves."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"code": "bank:ccb", "currency": "CNY", "kind": "asset"},
                {"code": "owner-capital", "currency": "CNY", "kind": "equity"},
                {"code": "bank:hsbc", "currency": "USD", "kind": "asset"},
            ]
        }
    )

    code: AccountCode
    currency: Annotated[CurrencyCode, Field(examples=["CNY"])]
    kind: AccountKind
    never_overdrawn: bool = Field(
        default=False,
        description="postings and reservations that would leave less than nothing are refused",
    )

    def key(self, merchant_id: UUID) -> AccountKey:
        return AccountKey(merchant_id, self.code, self.currency)


class AccountRead(Model):
    """Totals in minor units. `balance` is debits less credits; `pending_debit` and
    `pending_credit` are reserved on top of it; `available` is what is left in the account's own
    direction when what is reserved of it is gone.
    """

    id: UUID
    code: str
    parent: str = Field(description="the part of the code before the first colon")
    currency: str
    kind: AccountKind
    never_overdrawn: bool
    debit: int
    credit: int
    balance: int
    pending_debit: int
    pending_credit: int
    available: int
    created_at: datetime

    @classmethod
    def from_domain(cls, account: Account) -> Self:
        return cls(
            id=account.id,
            code=account.key.code,
            parent=account.parent,
            currency=account.key.currency,
            kind=account.kind,
            never_overdrawn=account.never_overdrawn,
            debit=account.debit_minor,
            credit=account.credit_minor,
            balance=account.balance_minor,
            pending_debit=account.pending_debit_minor,
            pending_credit=account.pending_credit_minor,
            available=account.available_minor,
            created_at=account.created_at,
        )


class BalanceRead(Model):
    """An account with all that was posted with a time up to `as_of`; minor units."""

    account_id: UUID
    account: str
    kind: AccountKind
    currency: str
    as_of: datetime
    debit: int
    credit: int
    balance: int

    @classmethod
    def from_domain(cls, balance: BalanceAt, at: datetime) -> Self:
        return cls(
            account_id=balance.account_id,
            account=balance.code,
            kind=balance.kind,
            currency=balance.currency,
            as_of=at,
            debit=balance.debit_minor,
            credit=balance.credit_minor,
            balance=balance.debit_minor - balance.credit_minor,
        )
