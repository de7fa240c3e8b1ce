from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import Model, MoneyModel, Name, Reference
from order.chargebacks.domain import Chargeback
from order.orders.domain import Order


class ChargebackCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reference": "dp_4711",
                    "amount": {"amount": 1990, "currency": "CNY"},
                    "reason": "fraudulent",
                }
            ]
        }
    )

    reference: Reference = Field(description="what the provider calls it: the same counts once")
    amount: MoneyModel
    reason: Name

    def to_domain(self) -> Chargeback:
        return Chargeback(self.reference, self.amount.to_domain(), self.reason)


class ChargebackRead(Model):
    order_id: UUID
    order_status: str
    reference: str
    amount: MoneyModel

    @classmethod
    def from_domain(cls, order: Order, chargeback: Chargeback) -> Self:
        return cls(
            order_id=order.id,
            order_status=order.status.value,
            reference=chargeback.reference,
            amount=MoneyModel.from_domain(chargeback.amount),
        )
