"""Money that goes back: a line's price or part of it, or a payment that cannot be used."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Invalid
from kit.money import Money


class RefundStatus(StrEnum):
    DUE = "due"
    SENT = "sent"
    UNKNOWN = "unknown"  # no definite answer: asked again by the same id
    MANUAL = "manual"  # the provider refused for certain: somebody must act
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Refund:
    """Money of one payment on its way back. `id` is our reference at the provider, on every
    attempt. `line_id` is None when the payment itself goes back: it came for nothing.
    """

    id: UUID
    order_id: UUID
    line_id: UUID | None
    merchant_id: UUID
    provider: str
    provider_reference: str
    amount: Money
    reason: str
    payment_id: UUID
    payment_amount: Money  # the whole payment it is part of
    request_id: UUID | None = None  # the call that asked for it; None when the order itself did
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class RefundState:
    """A refund and how far it has come."""

    refund: Refund
    status: RefundStatus
    attempts: int
    last_error: str | None
    created_at: datetime
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """What became of a refund that its provider was asked for, and why."""

    refund: Refund
    status: RefundStatus
    why: str


@dataclass(frozen=True, slots=True)
class LineWanted:
    """How much of a line shall go back: an amount, the price of some of its units, or (neither) all
    that is left of it.
    """

    line_id: UUID
    amount: Money | None = None
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class RefundWanted:
    """What somebody asks to be refunded; no lines means the whole order."""

    request_id: UUID
    reason: str
    asked_by: str
    lines: tuple[LineWanted, ...]


class OrderNotRefundable(Conflict):
    """There is no money of the buyer to give back, or only the whole order can be refunded now."""

    code = "order_not_refundable"


class NothingToRefund(Conflict):
    """All of it went back already or is on its way."""

    code = "nothing_to_refund"


class OutcomeUnknown(Conflict):
    """Whether these lines were delivered is not known yet; ask again when it is."""

    code = "outcome_unknown"


class RefundTooLarge(Invalid):
    """More than what is left of the line; `refundable` says how much that is."""

    code = "refund_too_large"


class LineNotFound(Invalid):
    """The order has no such line; read the order for the ids of its lines."""

    code = "line_not_found"


class KeyRequired(Invalid):
    """A refund needs an Idempotency-Key, so that a repeated call cannot refund twice."""

    code = "idempotency_key_required"
