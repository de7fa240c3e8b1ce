from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import CurrencyCode, Model, Name
from kit.http.wire import AMOUNT_MINOR_MAX
from kit.money import Money
from ledger.payouts.domain import Payee, Payout, PayoutState
from ledger.spreadsheet import csv_rows

_MERCHANT = "0190b1c2-0000-7000-8000-000000000001"
CSV_COLUMNS = (
    "payout_id",
    "merchant_id",
    "payee",
    "account",
    "bank",
    "amount",
    "currency",
    "state",
    "settlement_id",
    "approved_by",
)


class PayoutPropose(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"merchant_id": _MERCHANT, "currency": "CNY", "amount": 100_000}]
        }
    )

    merchant_id: UUID
    currency: Annotated[CurrencyCode, Field(examples=["CNY"])]
    amount: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX, strict=True)]


class PayoutReason(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Account is closed"}]})

    reason: Name


class PayoutRead(Model):
    id: UUID
    merchant_id: UUID
    currency: str
    amount: int
    state: PayoutState
    settlement_id: UUID | None
    payee: str
    account: str
    bank: str
    created_by: str
    approved_by: str | None
    reason: str | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def from_domain(cls, payout: Payout) -> Self:
        return cls(
            id=payout.id,
            merchant_id=payout.merchant_id,
            currency=payout.currency,
            amount=payout.amount_minor,
            state=payout.state,
            settlement_id=payout.settlement_id,
            payee=payout.payee_name,
            account=payout.payee_account,
            bank=payout.payee_bank,
            created_by=payout.created_by,
            approved_by=payout.approved_by,
            reason=payout.reason,
            created_at=payout.created_at,
            changed_at=payout.changed_at,
        )


AccountText = Annotated[
    str, StringConstraints(min_length=4, max_length=64, pattern=r"^[A-Za-z0-9 ._@\-]+$")
]


class PayeeBody(Model):
    """Who the merchant's payouts and statements are made out to."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "上海云卡数字科技有限公司",
                    "account": "6222020200112233445",
                    "bank": "ICBC",
                }
            ]
        }
    )

    name: Name
    account: AccountText
    bank: Name

    def to_domain(self, merchant_id: UUID) -> Payee:
        return Payee(merchant_id=merchant_id, name=self.name, account=self.account, bank=self.bank)

    @classmethod
    def from_domain(cls, payee: Payee) -> Self:
        return cls(name=payee.name, account=payee.account, bank=payee.bank)


def csv_of(payouts: Sequence[Payout], *, with_head: bool) -> str:
    """Amounts in the currency's main unit, as banks take them."""
    rows: list[tuple[object, ...]] = [CSV_COLUMNS] if with_head else []
    rows += [
        (
            it.id,
            it.merchant_id,
            it.payee_name,
            it.payee_account,
            it.payee_bank,
            Money(it.amount_minor, it.currency).decimal,
            it.currency,
            it.state.value,
            it.settlement_id or "",
            it.approved_by or "",
        )
        for it in payouts
    ]
    return csv_rows(rows)
