"""Buyers who want to hear when a sold-out product can be bought again."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound


class RestockStatus(StrEnum):
    WAITING = "waiting"
    DUE = "due"  # stock is back: the notice must be sent
    SENT = "sent"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"  # waited too long; the contact is not kept for ever


@dataclass(frozen=True, slots=True)
class Wanted:
    """A buyer's wish. `contact` is sealed; nobody reads it but to send the notice."""

    merchant_id: UUID
    sku: str
    customer_id: str
    contact: bytes
    locale: str


@dataclass(frozen=True, slots=True)
class RestockRequest:
    """`contact` is None once it is not needed any more."""

    id: UUID
    merchant_id: UUID
    product_id: UUID
    pool_id: UUID
    sku: str
    customer_id: str
    contact: bytes | None
    locale: str
    status: RestockStatus
    requested_at: datetime
    due_at: datetime | None
    ended_at: datetime | None

    def __repr__(self) -> str:
        return f"RestockRequest({self.id}, {self.status})"


class RestockRequestNotFound(NotFound):
    """There is no such request, or it is not yours."""

    code = "restock_request_not_found"


class NotFromPool(Invalid):
    """Only products from a pool sell out; others can be ordered at any time."""

    code = "not_from_pool"


class StillInStock(Conflict):
    """The product is not sold out; order it."""

    code = "still_in_stock"


class RestockRequestClosed(Conflict):
    """The request has ended already, see its status; make a new one."""

    code = "restock_request_closed"
