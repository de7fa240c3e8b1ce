"""What was asked for, what became of it, and who may try next.

A *request* is one paid order. Each of its lines has one *delivery* per round: a line that could not
be delivered may be asked for again, in another way. The lines are worked on in
*tasks*: what a task covers is for the line's *kind* to say (every line from the vault together,
because one reservation holds them; a top-up alone).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable
from uuid import UUID

from kit.errors import DomainError, ErrorKind
from kit.money import Money

_PAUSE_FIRST = timedelta(seconds=0.1)
_MASKED_LENGTH_MIN = 4
_LONG_ACCOUNT = 9


class DeliveryState(StrEnum):
    """`unknown`: something was sent and may have worked; the outcome is being asked for."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class TaskState(StrEnum):
    PENDING = "pending"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Offer:
    """A supplier who may do it, what it is called there, and what one may cost at most."""

    supplier: str
    supplier_sku: str
    cost_max: Money


@dataclass(frozen=True, slots=True)
class TopUpTerms:
    """`offers` are tried in their order or, with `is_best`, in the order that is best when it is
    bought; the next one only after a definite failure.
    """

    offers: tuple[Offer, ...]
    account_input: str
    is_best: bool = False


@dataclass(frozen=True, slots=True)
class ManualTerms:
    """Whose queue it waits in; `fulfiller` names the merchant's own system."""

    queue: str
    fulfiller: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order as it was when the order was paid.

    `inputs` is what the buyer entered (a phone number): personal, kept sealed until the line is
    settled, never logged nor told.
    """

    line_id: UUID
    line_no: int
    kind: str
    sku: str
    name: str
    quantity: int
    pool_id: UUID | None
    instructions: str
    inputs: Mapping[str, str] = field(default_factory=dict, repr=False)
    top_up: TopUpTerms | None = None
    manual: ManualTerms | None = None
    # A line that could not be delivered may be asked for again, in another way: a later round.
    round: int = 1
    instead_of: str = ""  # what was ordered, when this is its substitute

    @property
    def account(self) -> str:
        """What is topped up; empty when the line names nothing."""
        return self.inputs.get(self.top_up.account_input, "") if self.top_up else ""


@dataclass(frozen=True, slots=True)
class Request:
    """A paid and cleared order."""

    order_id: UUID
    merchant_id: UUID
    channel_id: UUID
    reference: str
    customer_id: str
    locale: str
    reservation_id: UUID | None
    recipient_public_key: bytes | None
    page_id: UUID
    page_ends_at: datetime
    hold_has_more: bool = False
    # The trace and the request that the events of this order continue.
    traceparent: str | None = None
    request_id: str | None = None


class UnitState(StrEnum):
    """What the buyer has done with a unit; `out_of_use`: it was replaced or paid back."""

    UNOPENED = "unopened"
    OPENED = "opened"
    REDEEMED = "redeemed"
    OUT_OF_USE = "out_of_use"


@dataclass(frozen=True, slots=True)
class Box:
    """A NaCl box that only the recipient can open. Binary, not base64."""

    public_key: bytes
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that belongs to the buyer now."""

    unit_id: UUID
    lot_id: UUID
    mask: str
    box: Box | None = None
    views: int = 0
    last_viewed_at: datetime | None = None
    # None: it does not expire, or nobody said when.
    expires_at: datetime | None = None
    # A voucher: its use is told to us.
    is_redeemable: bool = False
    # The unit it was given for, when that was bad.
    replaces: UUID | None = None
    # The first time anybody saw it; when it was used up; since when it counts for nothing, because
    # it was replaced or paid back.
    opened_at: datetime | None = None
    redeemed_at: datetime | None = None
    out_of_use_at: datetime | None = None

    @property
    def state(self) -> UnitState:
        if self.out_of_use_at is not None:
            return UnitState.OUT_OF_USE
        if self.redeemed_at is not None:
            return UnitState.REDEEMED
        is_opened = self.opened_at is not None or self.views > 0
        return UnitState.OPENED if is_opened else UnitState.UNOPENED


@dataclass(frozen=True, slots=True)
class LotCost:
    """What one lot gave to a line, and what each unit had cost; or, without a lot, what was bought
    of a supplier for this line alone."""

    lot_id: UUID | None
    quantity: int
    unit_cost: Money
    supplier: str = ""
    purchase_id: UUID | None = None
    face_value: Money | None = None  # of one voucher that is redeemed at the vault


@dataclass(frozen=True, slots=True)
class Delivery:
    """One line of a request and what became of it."""

    id: UUID
    task_id: UUID
    order_id: UUID
    merchant_id: UUID
    line: Line
    state: DeliveryState = DeliveryState.PENDING
    reason: str | None = None
    settled_at: datetime | None = None
    units: tuple[Unit, ...] = ()
    receipt: str = ""
    account_mask: str = ""
    refunded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """The deliveries of one request that are worked on together, by one worker at a time.

    `lease_id` names the worker's turn: only the turn that still holds the task may settle it.
    `generation` counts the references that were used up for good (a hold that was lost, a supplier
    that definitely refused); a kind derives its outside reference from it, so that a repeat of the
    same generation asks for the same thing again. `reservation_id` holds its units; with
    `hold_has_more` also those of lines that nobody wants any more.
    """

    id: UUID
    kind: str
    request: Request
    deliveries: tuple[Delivery, ...]
    reservation_id: UUID | None = None
    hold_has_more: bool = False
    lease_id: UUID | None = None
    attempts: int = 0
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """The line's units belong to the buyer; without units, `receipt` says what was done."""

    delivery_id: UUID
    units: tuple[Unit, ...]
    costs: tuple[LotCost, ...]
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Definitely not delivered, and never will be. `refusals`: (supplier, its code) in order."""

    delivery_id: UUID
    reason: str
    refusals: tuple[tuple[str, str], ...] = ()


Outcome = Delivered | Failed


@dataclass(frozen=True, slots=True)
class Settled:
    """The task came to its end: one outcome for each of its deliveries."""

    task: Task
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Retry:
    """Nothing definite happened; the task is tried again after `pause`, or after a growing one.

    `is_unknown`: something was sent and may have worked; the shop is told so once.
    """

    task: Task
    reason: str
    generation: int
    is_unknown: bool = False
    pause: timedelta | None = None
    supplier: str = ""


Attempt = Settled | Retry


@dataclass(frozen=True, slots=True)
class Planned:
    """A request as it is to be stored; `settled` are the ends its tasks have come to already."""

    request: Request
    tasks: tuple[Task, ...]
    settled: tuple[Settled, ...] = ()

    def with_ends(self, settled: Mapping[UUID, Settled]) -> "Planned":
        """With those of its tasks that came to an end, by id."""
        ends = tuple(settled[task.id] for task in self.tasks if task.id in settled)
        tasks = tuple(settled[it.id].task if it.id in settled else it for it in self.tasks)
        return replace(self, tasks=tasks, settled=ends)


class Kind(Protocol):
    """How the lines of one kind are delivered. One folder under `fulfillment/kinds/` each.

    `batch_max`: how many tasks it works on together at most. `rounds_max`: how many such rounds one
    process has under way at a time; several where a round waits for others' systems.
    """

    name: str
    batch_max: int
    rounds_max: int

    def plan(self, lines: Sequence[Line]) -> list[list[Line]]:
        """Which lines of one request are one task."""
        ...

    async def attempt(self, tasks: Sequence[Task]) -> list[Attempt]:
        """Work on `tasks`, one result each, in their order. Called outside any transaction.

        May be called again for the same task and generation after a crash at any point, and must
        then come to the same end. Raises `Unavailable` when nothing definite can be said of any.
        """
        ...


@runtime_checkable
class TriesAtOnce(Protocol):
    """A kind that needs nothing written down before it acts: whatever it asked before a crash, it
    asks again under the same reference and gets the same answer.
    """

    name: str

    async def try_at_once(self, tasks: Sequence[Task]) -> list[Settled]:
        """Those of `tasks` that come to their end now. The others are left to `attempt`, and so are
        all of them when this raises. Called outside any transaction.
        """
        ...


def plan_tasks(
    request: Request, lines: Sequence[Line], kinds: Mapping[str, Kind], new_id: Callable[[], UUID]
) -> tuple[Task, ...]:
    """The request's tasks, each with one pending delivery per line."""
    tasks = []
    for name in sorted({line.kind for line in lines}):
        for together in kinds[name].plan([line for line in lines if line.kind == name]):
            task_id = new_id()
            deliveries = tuple(
                Delivery(new_id(), task_id, request.order_id, request.merchant_id, line)
                for line in together
            )
            hold = request.reservation_id, request.hold_has_more
            tasks.append(Task(task_id, name, request, deliveries, *hold))
    return tuple(tasks)


def mask_account(account: str) -> str:
    """Enough for its owner to know it by: the last two characters, of a long one also the first."""
    if len(account) < _MASKED_LENGTH_MIN:
        return "*" * len(account)
    shown = 3 if len(account) >= _LONG_ACCOUNT else 0
    hidden = len(account) - shown - 2
    return account[:shown] + "*" * min(hidden, 6) + account[-2:]


def pause_after(attempts: int, pause_max: timedelta) -> timedelta:
    """How long a task rests after its n-th attempt without an answer: 0.1 s, doubling."""
    doublings = min(max(attempts - 1, 0), 20)
    return min(_PAUSE_FIRST * (1 << doublings), pause_max)


class UnknownKind(DomainError):
    """No part of this service delivers lines of this kind."""

    code = "unknown_fulfilment_kind"
    kind = ErrorKind.INVALID


class DeliveryNotFound(DomainError):
    """There is no such delivery, or it is not yours."""

    code = "delivery_not_found"
    kind = ErrorKind.NOT_FOUND
