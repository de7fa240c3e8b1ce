from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import CodeText, Model, MoneyModel, Reference
from order.payments.domain import PaymentState, PaymentWord, Receipt


class PaymentCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "provider": "demo",
                    "provider_reference": "pay-10001",
                    "amount": {"amount": 1990, "currency": "CNY"},
                }
            ]
        }
    )

    provider: CodeText = Field(
        description="`demo`, or what the trusted channel calls it; of an order that costs nothing "
        "any name, from any channel"
    )
    provider_reference: Reference = Field(description="the payment's number at the provider")
    amount: MoneyModel = Field(description="exactly the order's total")

    def to_domain(self) -> PaymentWord:
        return PaymentWord(self.provider, self.provider_reference, self.amount.to_domain())


class PaymentRead(Model):
    id: UUID
    order_id: UUID
    provider: str
    provider_reference: str
    amount: MoneyModel
    paid_at: datetime

    @classmethod
    def from_domain(cls, receipt: Receipt) -> Self:
        return cls(
            id=receipt.id,
            order_id=receipt.order_id,
            provider=receipt.provider,
            provider_reference=receipt.provider_reference,
            amount=MoneyModel.from_domain(receipt.amount),
            paid_at=receipt.paid_at,
        )


class PaymentStateRead(Model):
    """Money that came for an order, and what became of it."""

    id: UUID
    provider: str
    provider_reference: str
    status: str = Field(
        description="taken (pays the order), partial (the rest is awaited), surplus (not owed), "
        "returning, returned"
    )
    amount: MoneyModel
    applied: MoneyModel = Field(description="of that: pays the order")
    back: MoneyModel = Field(description="of that: back with the buyer, or on its way")
    paid_at: datetime

    @classmethod
    def from_domain(cls, payment: PaymentState) -> Self:
        receipt = payment.receipt
        return cls(
            id=receipt.id,
            provider=receipt.provider,
            provider_reference=receipt.provider_reference,
            status=payment.status.value,
            amount=MoneyModel.from_domain(receipt.amount),
            applied=MoneyModel.from_domain(payment.applied),
            back=MoneyModel.from_domain(payment.back),
            paid_at=receipt.paid_at,
        )
