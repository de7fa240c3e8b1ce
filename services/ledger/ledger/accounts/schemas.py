from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import CurrencyCode, Model
from ledger.accounts.domain import Account, AccountKey, AccountKind

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
            ]
        }
    )

    code: AccountCode
    currency: Annotated[CurrencyCode, Field(examples=["CNY"])]
    kind: AccountKind

    def key(self, merchant_id: UUID) -> AccountKey:
        return AccountKey(merchant_id, self.code, self.currency)


class AccountRead(Model):
    """Totals in minor units. `balance` is debits less credits."""

    id: UUID
    code: str
    currency: str
    kind: AccountKind
    debit: int
    credit: int
    balance: int
    created_at: datetime

    @classmethod
    def from_domain(cls, account: Account) -> Self:
        return cls(
            id=account.id,
            code=account.key.code,
            currency=account.key.currency,
            kind=account.kind,
            debit=account.debit_minor,
            credit=account.credit_minor,
            balance=account.balance_minor,
            created_at=account.created_at,
        )
