"""The wire of inboxes."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict

from fulfillment.inbox.domain import InboxMessage
from kit.http import Model


class InboxMessageRead(Model):
    """A message to one customer, as text."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a31",
                    "customer_id": "buyer-7",
                    "order_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a32",
                    "subject": "Your order shop-10001 is ready",
                    "body": "Open it here: https://shop.example/d/...",
                    "created_at": "2026-11-27T08:00:00Z",
                    "read_at": None,
                }
            ]
        }
    )

    id: UUID
    customer_id: str
    order_id: UUID
    subject: str
    body: str
    created_at: datetime | None
    read_at: datetime | None

    @classmethod
    def from_domain(cls, message: InboxMessage) -> Self:
        return cls(
            id=message.id,
            customer_id=message.customer_id,
            order_id=message.order_id,
            subject=message.subject,
            body=message.body,
            created_at=message.created_at,
            read_at=message.read_at,
        )
