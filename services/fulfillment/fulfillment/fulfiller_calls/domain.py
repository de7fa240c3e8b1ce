"""One line handed to a merchant's own system: asked under one reference until it is decided."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5

from kit.errors import Conflict, NotFound
from kit.money import Money

_UNKNOWN_PAUSES = tuple(timedelta(seconds=it) for it in (5, 15, 60, 300, 900, 3_600))
_GRACE = timedelta(seconds=2)
_ACCEPTED_PAUSES = tuple(timedelta(seconds=it) for it in (300, 900, 3_600))


class CallState(StrEnum):
    """`accepted`: it will say later. `unknown`: nobody can tell whether it heard. `manual`: its
    time is over and people decide; a word of its own still counts until they have."""

    INTENT = "intent"
    SENT = "sent"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    MANUAL = "manual"
    DONE = "done"
    FAILED = "failed"


SETTLED = (CallState.DONE, CallState.FAILED)


@dataclass(frozen=True, slots=True)
class FulfillerCall:
    """`id` is the reference, the same in every call. `result` is a line for the buyer."""

    id: UUID
    merchant_id: UUID
    order_id: UUID
    delivery_id: UUID
    task_id: UUID
    fulfiller: str
    state: CallState = CallState.INTENT
    sends: int = 0
    result: str = ""
    reason: str = ""
    cost: Money | None = None
    is_over: bool = False  # its deadline
    waited: timedelta = timedelta(0)  # since it was sent
    created_at: datetime | None = None
    settled_at: datetime | None = None

    def may_be_sent(self, timeout: timedelta) -> bool:
        """Not while the call before may still be under way, here or at another worker."""
        is_under_way = self.state is CallState.SENT and self.waited < timeout + _GRACE
        is_open = self.state not in (*SETTLED, CallState.MANUAL) and not self.is_over
        return is_open and not is_under_way


@dataclass(frozen=True, slots=True)
class Done:
    """Delivered."""

    result: str
    cost: Money | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Definitely not delivered, and never will be."""

    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Heard; the word comes later."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Sent, and nobody can tell what became of it."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Not a byte reached it."""

    reason: str


Word = Done | Failed
Answer = Word | Accepted | Unknown | NotSent


@dataclass(frozen=True, slots=True)
class Form:
    """What a call says besides its reference. `inputs` is what the buyer entered: it is in the
    call and nowhere else."""

    order_reference: str
    sku: str
    name: str
    quantity: int
    inputs: dict[str, str] = field(repr=False)


def reference_of(delivery_id: UUID) -> UUID:
    """Always the same one for a delivery."""
    return uuid5(NAMESPACE_URL, f"lockstock:fulfiller-call:{delivery_id}")


def state_after(answer: Answer) -> CallState:
    match answer:
        case Done():
            return CallState.DONE
        case Failed():
            return CallState.FAILED
        case Accepted():
            return CallState.ACCEPTED
        case Unknown():
            return CallState.UNKNOWN
        case NotSent():
            return CallState.INTENT


def pause_of(call: FulfillerCall, pause_max: timedelta) -> timedelta:
    """How long to wait before it is asked again."""
    pauses = _ACCEPTED_PAUSES if call.state is CallState.ACCEPTED else _UNKNOWN_PAUSES
    return min(pauses[min(max(call.sends - 1, 0), len(pauses) - 1)], pause_max)


class FulfillerCallNotFound(NotFound):
    """There is no call of this reference, or it is not yours."""

    code = "fulfiller_call_not_found"


class FulfillerCallDecided(Conflict):
    """It was decided otherwise already, by an earlier word of yours or by a person."""

    code = "fulfiller_call_decided"
