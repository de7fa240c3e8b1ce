from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import CodeText, Model, Name, Reference, Timestamp
from kit.paging import LIMIT_DEFAULT, LIMIT_MAX
from order.contacts import ContactHasher
from order.orders.domain import OrderStatus
from order.placing.schemas import Email, Phone
from order.search.domain import Export, Filter

STATUSES_MAX = len(OrderStatus)
Statuses = Annotated[list[OrderStatus], Field(max_length=STATUSES_MAX)]


class OrderFilter(Model):
    """All that is given must be true of an order. Times: from is included, to is not; with a range
    of payment the list goes by the time of payment.
    """

    model_config = ConfigDict(extra="ignore")  # the page's own parameters are in the same query

    reference: Reference | None = Field(default=None, description="the channel's own number")
    status: Statuses = Field(default_factory=list, description="one of these")
    channel_id: UUID | None = None
    customer_id: Name | None = Field(default=None, description="the shop's own id of the buyer")
    sku: CodeText | None = Field(default=None, description="a product on one of its lines")
    placed_from: Timestamp | None = None
    placed_to: Timestamp | None = None
    paid_from: Timestamp | None = None
    paid_to: Timestamp | None = None

    def to_domain(self) -> Filter:
        return Filter(
            reference=self.reference,
            statuses=tuple(dict.fromkeys(self.status)),
            channel_id=self.channel_id,
            customer_id=self.customer_id,
            sku=self.sku,
            placed_from=self.placed_from,
            placed_to=self.placed_to,
            paid_from=self.paid_from,
            paid_to=self.paid_to,
        )


class ContactFilter(OrderFilter):
    """With the buyer's contact, which belongs in a body and in no address."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"email": "buyer@example.com", "status": ["completed"]}]},
    )

    email: Email | None = None
    phone: Phone | None = Field(default=None, description="digits count, signs between them do not")

    def hashed(self, contacts: ContactHasher) -> Filter:
        hashes = contacts.hashes(self.email, self.phone)
        return replace(self.to_domain(), contact_hashes=hashes)


class OrderSearch(ContactFilter):
    """A filter and which page of what it finds."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX, description="rows per page")] = LIMIT_DEFAULT
    cursor: Annotated[
        str | None, Field(max_length=500, description="next_cursor of the page before")
    ] = None


class ExportRead(Model):
    """Who took which orders out. Without `finished_at` it runs, or the caller hung up."""

    id: UUID
    requested_by: str
    filter: dict[str, Any]  # as it was asked; a contact is a hash
    has_contacts: bool
    orders: int
    rows: int
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def from_domain(cls, export: Export) -> Self:
        return cls(
            id=export.id,
            requested_by=export.requested_by,
            filter=export.filter,
            has_contacts=export.has_contacts,
            orders=export.orders,
            rows=export.rows,
            started_at=export.started_at,
            finished_at=export.finished_at,
        )
