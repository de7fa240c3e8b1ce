from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from kit.http import CodeText, Model, Name
from order.contacts import Contact, ContactBox
from order.placing.schemas import Email, Locale, Phone
from order.restock.domain import RestockRequest, Wanted


class WaitingCustomer(Model):
    """Who wants to hear of it, and where: an e-mail address, a phone number, or both."""

    id: Name = Field(description="the shop's own id of the buyer")
    email: Email | None = None
    phone: Phone | None = None
    locale: Locale | None = Field(default=None, examples=["zh-CN"])

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.email is None and self.phone is None:
            raise ValueError("give an e-mail address or a phone number")
        return self


class RestockRequestCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"sku": "GAME-100", "customer": {"id": "buyer-7", "email": "buyer@example.com"}}
            ]
        }
    )

    sku: CodeText
    customer: WaitingCustomer

    def to_domain(self, merchant_id: UUID, box: ContactBox) -> Wanted:
        customer = self.customer
        return Wanted(
            merchant_id,
            self.sku,
            customer.id,
            box.seal(Contact(customer.email, customer.phone)),
            customer.locale or "",
        )


class RestockRequestRead(Model):
    """The contact is masked unless the key has `contacts:read`, and gone with the notice."""

    id: UUID
    product_id: UUID
    sku: str
    customer_id: str
    email: str | None
    phone: str | None
    locale: str | None
    status: str = Field(description="waiting, due, sent, withdrawn, lapsed")
    requested_at: datetime
    due_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def from_domain(cls, request: RestockRequest, contact: Contact) -> Self:
        return cls(
            id=request.id,
            product_id=request.product_id,
            sku=request.sku,
            customer_id=request.customer_id,
            email=contact.email,
            phone=contact.phone,
            locale=request.locale or None,
            status=request.status.value,
            requested_at=request.requested_at,
            due_at=request.due_at,
            ended_at=request.ended_at,
        )
