"""What operators look for among their orders, and how a found order is written into a table."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from uuid import UUID

from kit.errors import Invalid
from kit.spreadsheets import is_formula
from order.contacts import Contact
from order.lines.domain import Line
from order.orders.domain import Order, OrderStatus, Term

CSV_COLUMNS = (
    "order_id",
    "reference",
    "status",
    "channel_id",
    "customer_id",
    "email",
    "phone",
    "placed_at",
    "paid_at",
    "order_total_minor",
    "refunded_minor",
    "currency",
    "line_no",
    "sku",
    "name",
    "quantity",
    "unit_price_minor",
    "line_total_minor",
    "line_status",
)


@dataclass(frozen=True, slots=True)
class Filter:
    """All that is given must be true of an order; `paid_to` and `placed_to` are not included.

    `contact_hashes`: of an e-mail address, a phone number, or both.
    """

    reference: str | None = None
    statuses: tuple[OrderStatus, ...] = ()
    channel_id: UUID | None = None
    customer_id: str | None = None
    sku: str | None = None
    contact_hashes: tuple[str, ...] = ()
    placed_from: datetime | None = None
    placed_to: datetime | None = None
    paid_from: datetime | None = None
    paid_to: datetime | None = None

    @property
    def terms(self) -> tuple[str, ...]:
        """Those of the index of terms, what is rare first."""
        named = (
            (Term.CUSTOMER, self.customer_id),
            (Term.SKU, self.sku),
            (Term.CHANNEL, self.channel_id),
        )
        contacts = (Term.CONTACT.of(value) for value in self.contact_hashes)
        return (*contacts, *(term.of(value) for term, value in named if value is not None))

    @property
    def is_by_payment(self) -> bool:
        """Listed by the time of payment instead of placing."""
        return self.paid_from is not None or self.paid_to is not None

    def document(self) -> dict[str, object]:
        """What is given, as an export's record keeps it: hashes in place of contacts."""
        given: dict[str, object] = {
            "reference": self.reference,
            "statuses": [status.value for status in self.statuses],
            "channel_id": str(self.channel_id) if self.channel_id else None,
            "customer_id": self.customer_id,
            "sku": self.sku,
            "contact_hashes": list(self.contact_hashes),
            "placed_from": _moment(self.placed_from),
            "placed_to": _moment(self.placed_to),
            "paid_from": _moment(self.paid_from),
            "paid_to": _moment(self.paid_to),
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Place:
    """An order's place in a list: its time (placed or paid) and its id."""

    at: datetime
    order_id: UUID


@dataclass(frozen=True, slots=True)
class Export:
    """Who took which orders out. `orders` and `rows` are counted before they are handed out."""

    id: UUID
    merchant_id: UUID
    requested_by: str
    filter: dict[str, object]
    has_contacts: bool
    orders: int
    rows: int
    started_at: datetime
    finished_at: datetime | None


def csv_head() -> str:
    return _csv([CSV_COLUMNS])


def csv_of(orders: Iterable[Order], *, has_contacts: bool) -> tuple[str, int]:
    """One row for each line of the orders, and how many these are."""
    rows = [
        [_cell(value) for value in (*_of_order(order, has_contacts=has_contacts), *_of_line(line))]
        for order in orders
        for line in order.lines
    ]
    return _csv(rows), len(rows)


def _of_order(order: Order, *, has_contacts: bool) -> tuple[object, ...]:
    contact = Contact(order.customer.email, order.customer.phone)
    shown = contact if has_contacts else contact.masked
    return (
        order.id,
        order.reference,
        order.status.value,
        order.channel_id,
        order.customer.id,
        shown.email,
        shown.phone,
        _moment(order.placed_at),
        _moment(order.paid_at),
        order.total.amount_minor,
        order.refunded.amount_minor,
        order.total.currency,
    )


def _of_line(line: Line) -> tuple[object, ...]:
    return (
        line.line_no,
        line.sku,
        line.name,
        line.quantity,
        line.unit_price.amount_minor,
        line.total.amount_minor,
        line.status.value,
    )


def _moment(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if isinstance(value, str) and is_formula(value):
        return f"'{value}"
    return value


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


class EmptyRange(Invalid):
    """A range of time ends before it begins; swap its ends."""

    code = "empty_range"
