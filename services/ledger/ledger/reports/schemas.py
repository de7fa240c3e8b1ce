from typing import Self
from uuid import UUID

from pydantic import Field

from kit.http import Model
from ledger.accounts.domain import AccountKind
from ledger.reports.domain import (
    CurrencyTotal,
    LotValue,
    TrialBalance,
    TrialBalanceLine,
)


class TrialBalanceLineRead(Model):
    account_id: UUID
    account: str
    kind: AccountKind
    currency: str
    debit: int
    credit: int
    balance: int = Field(description="debits less credits")

    @classmethod
    def from_domain(cls, line: TrialBalanceLine) -> Self:
        return cls(
            account_id=line.account_id,
            account=line.code,
            kind=line.kind,
            currency=line.currency,
            debit=line.debit_minor,
            credit=line.credit_minor,
            balance=line.debit_minor - line.credit_minor,
        )


class CurrencyTotalRead(Model):
    currency: str
    debit: int
    credit: int
    balanced: bool

    @classmethod
    def from_domain(cls, total: CurrencyTotal) -> Self:
        return cls(
            currency=total.currency,
            debit=total.debit_minor,
            credit=total.credit_minor,
            balanced=total.is_balanced,
        )


class TrialBalanceRead(Model):
    """Everything ever posted, in minor units; `totals` cover all accounts, `items` 2,000."""

    balanced: bool
    totals: list[CurrencyTotalRead]
    items: list[TrialBalanceLineRead]

    @classmethod
    def from_domain(cls, balance: TrialBalance) -> Self:
        return cls(
            balanced=balance.is_balanced,
            totals=[CurrencyTotalRead.from_domain(total) for total in balance.totals],
            items=[TrialBalanceLineRead.from_domain(line) for line in balance.lines],
        )


class LotValueRead(Model):
    currency: str
    received: int
    sold: int
    value: int = Field(description="what is still on the shelf, at cost")

    @classmethod
    def from_domain(cls, value: LotValue) -> Self:
        return cls(
            currency=value.currency,
            received=value.received_minor,
            sold=value.sold_minor,
            value=value.value_minor,
        )


class LotValuesRead(Model):
    lot_id: UUID
    items: list[LotValueRead]


class ReportNameRead(Model):
    name: str
    path: str
    shows: str


class CatalogueRead(Model):
    """`figures`: the definition of each figure, by its name."""

    reports: list[ReportNameRead]
    figures: dict[str, str]
