"""What a shop shows its customers inside its own app."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kit.errors import NotFound


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """`id` is the message's."""

    id: UUID
    merchant_id: UUID
    customer_id: str
    order_id: UUID
    subject: str = field(repr=False)
    body: str = field(repr=False)
    created_at: datetime | None = None
    read_at: datetime | None = None


class InboxMessageNotFound(NotFound):
    """There is no such message in this inbox, or it is not yours."""

    code = "inbox_message_not_found"
