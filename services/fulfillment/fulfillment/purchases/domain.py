"""A purchase: one reference at one supplier, and which state may follow which.

intent -> sent (committed before the call) -> done | failed | unknown; unknown is asked for until it
is definite, or a person must look (manual).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never
from uuid import NAMESPACE_URL, UUID, uuid5

from fulfillment.arrivals.domain import Origin
from fulfillment.cases.domain import Case
from fulfillment.connector import Done, Failed, NotFound, NotSent, Report, Terms, Unknown
from fulfillment.deliveries.domain import Delivery, Offer
from fulfillment.manual_tasks.domain import UNDECIDED_QUEUE, ManualState, ManualTask, id_of
from kit.errors import NotFound as NoSuchThing
from kit.money import Money

BY_A_PERSON = "refused_by_hand"
LATE_SUCCESS = "late_success"
NOT_FOUND = "not_found"
GIVEN_UP = (BY_A_PERSON, NOT_FOUND)
"""Reasons that are not the supplier's word: what failed so is asked for a few times more."""
RECHECK_PAUSE = timedelta(hours=1)
"""Until the first of these times; the next ones come after 4, 16, 64 hours."""
RECHECKS_MAX = 5
SENDS_MAX = 3
"""How often one reference is sent, if the supplier says each time that it knows nothing of it."""
ASK_PAUSES = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 3_600))
"""How long to wait before the n-th question; the last pause repeats."""
CALL_MARGIN = timedelta(seconds=10)
"""So much longer than its time-out a call may take until it is over, from when it was sent."""
SEND_PAUSES = tuple(timedelta(seconds=s) for s in (1, 2, 5, 15, 30, 60))
"""The same for what could not be sent."""


class PurchaseState(StrEnum):
    INTENT = "intent"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"  # definitely not bought
    UNKNOWN = "unknown"
    MANUAL = "manual"  # nobody could tell for long: a person looks, and we go on asking


# The trigger `purchase_transition` refuses everything else; a test holds the two together.
LEGAL: Mapping[PurchaseState, frozenset[PurchaseState]] = {
    # Done: a slow answer came after "no such reference" had made us ready to send it again.
    PurchaseState.INTENT: frozenset({PurchaseState.SENT, PurchaseState.FAILED, PurchaseState.DONE}),
    PurchaseState.SENT: frozenset(
        {PurchaseState.INTENT, PurchaseState.DONE, PurchaseState.FAILED, PurchaseState.UNKNOWN}
    ),
    PurchaseState.UNKNOWN: frozenset(
        {
            PurchaseState.INTENT,
            PurchaseState.SENT,
            PurchaseState.DONE,
            PurchaseState.FAILED,
            PurchaseState.MANUAL,
        }
    ),
    PurchaseState.MANUAL: frozenset({PurchaseState.DONE, PurchaseState.FAILED}),
    PurchaseState.DONE: frozenset(),
    PurchaseState.FAILED: frozenset(),
}
SETTLED = frozenset({PurchaseState.DONE, PurchaseState.FAILED})


GONE = Terms(
    idempotent_by_ref=False,
    query_by_ref=False,
    definite_failures=frozenset(),
    timeout=timedelta(minutes=1),
    visibility_delay=timedelta(minutes=5),
    unknown_ttl=timedelta(hours=24),
)
"""Of a supplier whose connector is not switched on here any more."""


class Step(StrEnum):
    """What is done about a purchase now."""

    SEND = "send"
    ASK = "ask"
    WAIT = "wait"  # only a person can tell


@dataclass(frozen=True, slots=True)
class Purchase:
    """`cost_max` and `cost` are for the whole quantity. `age` counts from the last sending,
    `waited` from the beginning, both by the database's clock. It is for a line of an order, or for
    a procurement: then its codes go to `pool_id`. `choice` has the figures of all offers it was
    chosen from; None: its offer was next in a list."""

    id: UUID
    merchant_id: UUID
    order_id: UUID | None
    line_id: UUID | None
    delivery_id: UUID | None
    task_id: UUID | None
    generation: int
    supplier: str
    supplier_sku: str
    quantity: int
    cost_max: Money
    state: PurchaseState = PurchaseState.INTENT
    sends: int = 0
    unsent: int = 0
    asks: int = 0
    cost: Money | None = None
    supplier_reference: str = ""
    receipt: str = ""
    reason: str = ""
    is_dearer: bool = False
    sent_at: datetime | None = None
    settled_at: datetime | None = None
    late_success_at: datetime | None = None
    created_at: datetime | None = None
    age: timedelta = timedelta()
    waited: timedelta = timedelta()
    procurement_id: UUID | None = None
    pool_id: UUID | None = None
    choice: tuple[Mapping[str, Any], ...] | None = None

    @property
    def owner(self) -> UUID:
        """What it is bought for: a delivery or a procurement."""
        owner = self.delivery_id or self.procurement_id
        assert owner is not None, f"purchase {self.id} is for nothing"
        return owner

    @property
    def waiter(self) -> UUID:
        """What is woken when there is news: a task or a procurement."""
        waiter = self.task_id or self.procurement_id
        assert waiter is not None, f"nobody waits for purchase {self.id}"
        return waiter

    @property
    def tries(self) -> int:
        """How many sendings may have reached the supplier."""
        return self.sends - self.unsent


@dataclass(frozen=True, slots=True)
class Limits:
    """`unsent`: how long one may wait for a supplier that cannot be reached at all. `pause`: the
    longest between two tries."""

    unsent: timedelta
    pause: timedelta


@dataclass(frozen=True, slots=True)
class Want:
    """A purchase to be brought to its end, for this account. `has_next`: somebody else could be
    asked, so that it need not wait for a supplier whose circuit is open.
    """

    purchase: Purchase
    account: str
    has_next: bool = False


@dataclass(frozen=True, slots=True)
class Bought:
    """Where a purchase stands after this turn; `refusals` of all suppliers that were tried."""

    purchase: Purchase
    pause: timedelta
    refusals: tuple[tuple[str, str], ...] = ()


def plan(delivery: Delivery, offer: Offer, generation: int) -> Purchase:
    """The purchase of this offer for this delivery: always with the same reference."""
    line = delivery.line
    return Purchase(
        id=reference_of(delivery.id, line.line_id, offer, generation),
        merchant_id=delivery.merchant_id,
        order_id=delivery.order_id,
        line_id=line.line_id,
        delivery_id=delivery.id,
        task_id=delivery.task_id,
        generation=generation,
        supplier=offer.supplier,
        supplier_sku=offer.supplier_sku,
        quantity=line.quantity,
        cost_max=offer.cost_max * line.quantity,
    )


def plan_best(
    delivery: Delivery, best: Offer, generation: int, choice: Sequence[Mapping[str, Any]]
) -> Purchase:
    """The purchase of the offer that is best now. The offer is not part of its reference: the first
    choice that is written down stands, whatever a repeat after a crash would choose.
    """
    name = f"{delivery.line.line_id}/{delivery.id}/best/{generation}"
    reference = uuid5(NAMESPACE_URL, f"lockstock:purchase:{name}")
    return replace(plan(delivery, best, generation), id=reference, choice=tuple(choice))


def reference_of(delivery_id: UUID, line_id: UUID, offer: Offer, generation: int) -> UUID:
    """The delivery is in it, because a line may be requested again in a later round."""
    name = f"{line_id}/{delivery_id}/{offer.supplier}/{offer.supplier_sku}/{generation}"
    return uuid5(NAMESPACE_URL, f"lockstock:purchase:{name}")


def next_step(purchase: Purchase, terms: Terms) -> Step:
    """What is left over from a crash is asked for before anything else is done."""
    if purchase.state is PurchaseState.INTENT:
        return Step.SEND
    if terms.query_by_ref:
        return Step.ASK
    can_send = terms.idempotent_by_ref and purchase.state is not PurchaseState.MANUAL
    return Step.SEND if can_send else Step.WAIT


def settle(purchase: Purchase, report: Report, terms: Terms, limits: Limits) -> Purchase:
    """What a call made of it."""
    match report:
        case Done() if report.cost.currency != purchase.cost_max.currency:
            return _unknown(purchase, "wrong_currency", terms)
        case Done():
            return done(purchase, report)
        case Failed():
            if report.code in terms.definite_failures:
                return failed(purchase, report.code)
            return _unknown(purchase, report.code, terms)
        case Unknown():
            return _unknown(purchase, report.reason, terms)
        case NotSent():
            return _not_sent(purchase, report, terms, limits)
        case NotFound():
            return _not_found(purchase, terms)
        case _:
            assert_never(report)


def left_alone(purchase: Purchase, terms: Terms) -> Purchase:
    """What becomes of it while nobody can be asked about it: a call that must be over by now was
    not answered, and a person must look when the time for that has come.
    """
    match purchase.state:
        case PurchaseState.SENT:
            is_due = purchase.age >= terms.timeout + CALL_MARGIN
        case PurchaseState.UNKNOWN:
            is_due = purchase.waited >= terms.unknown_ttl
        case _:
            is_due = False
    return _unknown(purchase, purchase.reason or "no_answer", terms) if is_due else purchase


def failed(purchase: Purchase, reason: str) -> Purchase:
    """Definitely not bought under this reference."""
    return replace(purchase, state=PurchaseState.FAILED, reason=reason)


def done(purchase: Purchase, report: Done) -> Purchase:
    """Bought. What the supplier says it cost is what is accounted for, even when it is too much."""
    return replace(
        purchase,
        state=PurchaseState.DONE,
        reason="",
        cost=report.cost,
        supplier_reference=report.supplier_reference,
        receipt=report.receipt,
        is_dearer=report.cost.amount_minor > purchase.cost_max.amount_minor,
    )


def _unknown(purchase: Purchase, reason: str, terms: Terms) -> Purchase:
    if purchase.state is PurchaseState.MANUAL:
        return replace(purchase, reason=reason)
    overdue = purchase.state is PurchaseState.UNKNOWN and purchase.waited >= terms.unknown_ttl
    state = PurchaseState.MANUAL if overdue else PurchaseState.UNKNOWN
    return replace(purchase, state=state, reason=reason)


def _not_sent(purchase: Purchase, report: NotSent, terms: Terms, limits: Limits) -> Purchase:
    """Nothing was bought by this sending; an earlier one may have worked."""
    purchase = replace(purchase, unsent=purchase.unsent + 1)
    if purchase.tries > 0:
        return _unknown(purchase, report.reason, terms)
    if report.is_final or purchase.waited >= limits.unsent:
        return failed(purchase, report.reason)
    return replace(purchase, state=PurchaseState.INTENT, reason=report.reason)


def _not_found(purchase: Purchase, terms: Terms) -> Purchase:
    """Proves nothing while a call may still be on its way."""
    if purchase.age < terms.timeout + terms.visibility_delay:
        return _unknown(purchase, "not_found_yet", terms)
    again = purchase.state in (PurchaseState.SENT, PurchaseState.UNKNOWN)
    if again and terms.idempotent_by_ref and purchase.tries < SENDS_MAX:
        return replace(purchase, state=PurchaseState.INTENT, reason=NOT_FOUND)
    return failed(purchase, NOT_FOUND)


def pause_of(purchase: Purchase, limits: Limits) -> timedelta:
    """Until the next try, without jitter."""
    if purchase.state is PurchaseState.INTENT:
        pauses: Sequence[timedelta] = SEND_PAUSES
        tries = purchase.unsent
    else:
        # What a person decides wakes whoever waits for it.
        by_now = len(ASK_PAUSES) if purchase.state is PurchaseState.MANUAL else purchase.asks + 1
        pauses, tries = ASK_PAUSES, by_now
    return min(pauses[min(max(tries, 1), len(pauses)) - 1], limits.pause)


def by_hand(purchase: Purchase, task: ManualTask) -> Purchase:
    """A person's word."""
    if task.state is ManualState.FAILED:
        return failed(purchase, BY_A_PERSON)
    # Nobody stated what it cost: then it is taken to have cost what was agreed.
    report = Done(task.cost or purchase.cost_max, "", task.result)
    return done(purchase, report)


def manual_task_of(purchase: Purchase) -> ManualTask:
    """For a person to find out what became of it."""
    return ManualTask(
        id=id_of(purchase.id),
        merchant_id=purchase.merchant_id,
        queue=UNDECIDED_QUEUE,
        why=f"{purchase.supplier} cannot say what became of purchase {purchase.id}: "
        f"{purchase.reason}",
        order_id=purchase.order_id,
        delivery_id=purchase.delivery_id,
        task_id=purchase.task_id,
        purchase_id=purchase.id,
        procurement_id=purchase.procurement_id,
    )


def origin_of(purchase: Purchase, cost: Money) -> Origin:
    """What its codes were bought as."""
    return Origin(
        purchase_id=purchase.id,
        merchant_id=purchase.merchant_id,
        pool_id=purchase.pool_id,
        waiter_id=purchase.procurement_id,
        supplier=purchase.supplier,
        supplier_sku=purchase.supplier_sku,
        wanted=purchase.quantity,
        cost=cost,
        procurement_id=purchase.procurement_id,
        order_id=purchase.order_id,
    )


def late_case(purchase: Purchase, cost: Money | None) -> Case:
    """It was done after everybody had given it up: somebody has paid for nothing."""
    return Case(
        merchant_id=purchase.merchant_id,
        kind=LATE_SUCCESS,
        subject=str(purchase.id),
        supplier=purchase.supplier,
        purchase_id=purchase.id,
        order_id=purchase.order_id,
        procurement_id=purchase.procurement_id,
        amount=cost,
        details={
            "given_up_as": purchase.reason,
            "supplier_sku": purchase.supplier_sku,
            "supplier_reference": purchase.supplier_reference,
            "quantity": purchase.quantity,
        },
    )


class PurchaseNotFound(NoSuchThing):
    """There is no such purchase, or it is not yours."""

    code = "purchase_not_found"
