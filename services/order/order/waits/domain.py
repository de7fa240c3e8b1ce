"""Everything that waits: for what, since when, and what a person may do about it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, NotFound


class WaitKind(StrEnum):
    STEP = "step"  # an outside call without an end; `manual`: past its deadline
    BACK_ORDER = "back_order"  # a short line that waits for stock
    REFUND = "refund"  # money on its way back
    UNKNOWN_LINE = "unknown_line"  # fulfilment does not know whether it was delivered
    REVIEW = "review"  # paid and on hold: a person decides
    CHECKOUT = "checkout"  # a payment that was begun: its provider says nothing clear for too long
    PAYMENT = "payment"  # a part of the price came, the rest did not yet
    ASSESSMENT = "assessment"  # paid, and risk has said nothing for too long
    FULFILLMENT = "fulfillment"  # asked for, and fulfilment has said nothing for too long
    LOST = "lost"  # not at its end, and nothing is known that it waits for


CALLS = frozenset({WaitKind.STEP, WaitKind.BACK_ORDER})
LINES = frozenset({WaitKind.UNKNOWN_LINE, WaitKind.FULFILLMENT})
UNDECIDED = frozenset({WaitKind.REVIEW, WaitKind.ASSESSMENT})


@dataclass(frozen=True, slots=True)
class Wait:
    """`id` is the step's, the refund's, the line's or the order's; `what` names it for people."""

    id: UUID
    kind: WaitKind
    order_id: UUID
    reference: str
    line_id: UUID | None
    what: str
    state: str
    since: datetime
    next_at: datetime | None
    last_error: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much of one kind waits, and since when the oldest does."""

    kind: WaitKind
    number: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Action:
    """What a person wants done. `cause` names who; `is_forced`: although the outcome is unknown."""

    reason: str
    cause: str
    is_forced: bool = False


class WaitNotFound(NotFound):
    """Nothing waits under this id (any more), or it is not yours; list the waits again."""

    code = "wait_not_found"


class NotPossible(Conflict):
    """This cannot be done about what waits here; `possible` says what can."""

    code = "wait_action_not_possible"


class OutcomeUnknown(Conflict):
    """Whether it happened is not known: retry, or use `force` with a key that has refunds:write."""

    code = "outcome_unknown"
