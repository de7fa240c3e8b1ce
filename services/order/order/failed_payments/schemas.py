from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import CodeText, Model, Name, Reference
from order.failed_payments.domain import FailedPayment
from order.orders.domain import Order


class FailedPaymentCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "provider": "demo",
                    "provider_reference": "try-10001",
                    "reason": "insufficient_funds",
                }
            ]
        }
    )

    provider: CodeText = Field(description="`demo`, or what the trusted channel calls it")
    provider_reference: Reference = Field(description="this try's number: the same counts once")
    reason: Name = Field(description="what the provider calls it")

    def to_domain(self) -> FailedPayment:
        return FailedPayment(self.provider, self.provider_reference, self.reason)


class FailedPaymentRead(Model):
    order_id: UUID
    order_status: str
    provider: str
    provider_reference: str
    reason: str

    @classmethod
    def from_domain(cls, order: Order, failed: FailedPayment) -> Self:
        return cls(
            order_id=order.id,
            order_status=order.status.value,
            provider=failed.provider,
            provider_reference=failed.reference,
            reason=failed.reason,
        )
