"""An order: what it is, and which state may follow which."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from kit.errors import Conflict, NotFound
from kit.money import Money
from order.deliveries.domain import Delivery, LineOutcome
from order.lines.domain import Line, LineStatus
from order.refunds.domain import Refund
from order.steps.domain import Step
from order.timeline.domain import Entry


class OrderStatus(StrEnum):
    PENDING_PAYMENT = "pending_payment"
    PAID = "paid"
    ON_HOLD = "on_hold"
    FULFILLING = "fulfilling"
    COMPLETED = "completed"
    PARTIALLY_COMPLETED = "partially_completed"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


# Which state may follow which. The trigger `orders_transition` refuses everything else; a test
# holds the two together.
LEGAL: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING_PAYMENT: frozenset(
        {
            OrderStatus.PAID,
            OrderStatus.ON_HOLD,
            OrderStatus.FULFILLING,
            OrderStatus.CANCELLED,
            OrderStatus.EXPIRED,
        }
    ),
    OrderStatus.PAID: frozenset(
        {OrderStatus.ON_HOLD, OrderStatus.FULFILLING, OrderStatus.REFUNDING}
    ),
    OrderStatus.ON_HOLD: frozenset({OrderStatus.FULFILLING, OrderStatus.REFUNDING}),
    OrderStatus.FULFILLING: frozenset(
        {
            OrderStatus.COMPLETED,
            OrderStatus.PARTIALLY_COMPLETED,
            OrderStatus.REFUNDING,
            OrderStatus.REFUNDED,
        }
    ),
    OrderStatus.REFUNDING: frozenset({OrderStatus.REFUNDED, OrderStatus.PARTIALLY_COMPLETED}),
    # What was delivered may be refunded later.
    OrderStatus.COMPLETED: frozenset({OrderStatus.REFUNDING}),
    OrderStatus.PARTIALLY_COMPLETED: frozenset({OrderStatus.REFUNDING}),
    OrderStatus.REFUNDED: frozenset(),
    # Its whole price came late, and its goods are held anew: only with that money, and once.
    OrderStatus.CANCELLED: frozenset(
        {OrderStatus.PAID, OrderStatus.ON_HOLD, OrderStatus.FULFILLING}
    ),
    OrderStatus.EXPIRED: frozenset({OrderStatus.PAID, OrderStatus.ON_HOLD, OrderStatus.FULFILLING}),
}

UNPAID = OrderStatus.PENDING_PAYMENT
ENDED_UNPAID = frozenset({OrderStatus.CANCELLED, OrderStatus.EXPIRED})


class Verdict(StrEnum):
    """What risk says about an order."""

    ALLOW = "allow"
    CHALLENGE = "challenge"
    HOLD = "hold"
    DECLINE = "decline"


class News(StrEnum):
    """What the world is told about an order; events.py words each as a message."""

    PLACED = "placed"
    PAID = "paid"
    HELD = "held"
    CHALLENGED = "challenged"
    FULFILLMENT_REQUESTED = "fulfillment_requested"
    # The same, of lines whose hold has units of other lines too: those are not wanted any more.
    PART_REQUESTED = "part_requested"
    COMPLETED = "completed"
    PARTIALLY_COMPLETED = "partially_completed"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Customer:
    """Who buys. `email` and `phone` are needed for delivery and never logged nor told to risk."""

    id: str
    email: str | None = None
    phone: str | None = None
    ip: str | None = None
    device_id: str | None = None
    registered_at: datetime | None = None
    contact_hash: str | None = None
    locale: str | None = None
    # Of e-mail and phone, to be found by either; known while the order is placed only.
    contact_hashes: tuple[str, ...] = ()
    region: str | None = None  # country
    # The shop's hash of the card or its holder: told to risk when the order is placed, not kept.
    payer_hash: str | None = None

    def __repr__(self) -> str:
        return f"Customer({self.id!r}, ***)"


@dataclass(frozen=True, slots=True)
class Assessment:
    id: str
    verdict: Verdict
    rules: tuple[Mapping[str, str | int], ...] = ()
    reviewer: str = ""
    note: str = ""
    challenge_id: str = ""
    hold_seconds: int = 0
    """The longest time, from when it was placed, that it holds its stock unpaid; 0: no bound."""

    @property
    def reason(self) -> str:
        """The fired rules' explanations in one line, for events and people."""
        told = "; ".join(str(rule["explanation"]) for rule in self.rules)
        asked = "challenge: " if self.verdict is Verdict.CHALLENGE else ""
        return f"{asked}{told or self.note or self.verdict}"[:500]


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the buyer's code is shown for; where it was sent, as a mask, once it was."""

    id: str
    channel: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came for an order. `via` is whose word it was, and so who gives it back."""

    id: UUID
    via: str
    provider: str
    provider_reference: str
    amount: Money
    surplus_minor: int = 0  # of the amount: more than the order needed

    @property
    def applied_minor(self) -> int:
        """How much of it pays the order."""
        return self.amount.amount_minor - self.surplus_minor


@dataclass(frozen=True, slots=True)
class Arrival:
    """Money whose arrival is told apart from the order's payment: a part of the price that came
    before the rest (`is_part`), or money that the order cannot use.
    """

    payment: Payment
    amount: Money
    is_part: bool
    reason: str


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund that was made and that no closing event of the order tells."""

    refund: Refund
    line: Line | None


@dataclass(frozen=True, slots=True)
class Order:
    id: UUID
    merchant_id: UUID
    channel_id: UUID
    reference: str
    customer: Customer
    total: Money
    lines: tuple[Line, ...]
    pay_until: datetime
    placed_at: datetime
    reservation_id: UUID | None = None
    recipient_public_key: bytes | None = None
    status: OrderStatus = OrderStatus.PENDING_PAYMENT
    verdict: Verdict | None = None
    assessment_id: str = ""
    is_default_verdict: bool = False  # the channel's, since risk was silent
    late_verdict: Verdict | None = None  # what risk said when that had counted already
    challenge: Challenge | None = None
    payment: Payment | None = None
    paid_at: datetime | None = None
    reason: str = ""  # why it is held, cancelled or refunded
    # All payments in their order when it took other than one exact one; unpaid, those held so far.
    parts: tuple[Payment, ...] = ()
    surplus_minor: int = 0  # came in the order's currency and pays nothing of it
    returned_minor: int = 0  # of that: back with the buyer
    is_closed: bool = False  # the event of its end was published
    is_revived: bool = False  # it had ended unpaid, and its price came late
    # For the books, as it was when it was placed: who bears the channel's fee (`fee_bearer`), what
    # becomes of it on a refund (`fee_on_refund`), the buyer's groups (`groups`); only what is said.
    terms: Mapping[str, str] = field(default_factory=dict)
    channel_name: str = field(default="", compare=False)  # told when it is placed, and not kept

    @property
    def payments(self) -> tuple[Payment, ...]:
        """Those that pay it, or part of it."""
        if self.parts or self.payment is None:
            return self.parts
        return (self.payment,)

    @property
    def held(self) -> Money:
        """What came of its price so far."""
        held = sum(payment.applied_minor for payment in self.payments)
        return Money(held, self.total.currency)

    @property
    def owed(self) -> Money:
        """What is still to be paid."""
        return self.total - self.held

    @property
    def paid(self) -> Money:
        """All that came for it in its own currency, used or not."""
        return self.held + Money(self.surplus_minor, self.total.currency)

    @property
    def refunded(self) -> Money:
        """All that is back with the buyer, in its own currency."""
        back = sum(line.refunded_minor for line in self.lines)
        return Money(back + self.returned_minor, self.total.currency)

    @property
    def undelivered(self) -> Money:
        """What went back for lines that were definitely not delivered."""
        back = (line.total.amount_minor for line in self.lines if _is(line, LineStatus.REFUNDED))
        return Money(sum(back), self.total.currency)

    @property
    def delivered_value(self) -> Money:
        """The price of what was delivered, less what was asked back of it."""
        kept = (it.refundable.amount_minor for it in self.lines if _is(it, LineStatus.DELIVERED))
        return Money(sum(kept), self.total.currency)

    @property
    def open(self) -> Money:
        """Paid, neither delivered nor back: held, under way, unknown, or being refunded."""
        return self.paid - self.delivered_value - self.refunded


class Term(StrEnum):
    """What an order is found by, besides its reference, state and times."""

    CHANNEL = "channel"
    CUSTOMER = "customer"
    CONTACT = "contact"
    SKU = "sku"

    def of(self, value: object) -> str:
        """As the index of terms has it."""
        return f"{self.value}:{value}"


def terms_of(order: Order) -> list[str]:
    """All that a placed order is found by; nothing of it changes afterwards."""
    customer = order.customer
    hashes = customer.contact_hashes or (customer.contact_hash,)
    return [
        Term.CHANNEL.of(order.channel_id),
        Term.CUSTOMER.of(customer.id),
        *{Term.CONTACT.of(value) for value in hashes if value},
        *{Term.SKU.of(sku) for line in order.lines for sku in (line.sku, line.bundle_sku) if sku},
    ]


@dataclass(frozen=True, slots=True)
class Change:
    """What decisions made of an order: its new state, their story and the news, each in order.

    Changes are chained: a batch of facts about one order folds into one change, written once.
    """

    order: Order
    cause: str
    entries: tuple[Entry, ...] = ()
    news: tuple[tuple[News, Order], ...] = ()  # with the order as it was when announced
    outcomes: tuple[LineOutcome, ...] = ()
    refunds: tuple[Refund, ...] = ()
    steps: tuple[Step, ...] = ()
    money: tuple[tuple[Arrival | GivenBack, Order], ...] = ()  # news of money, told like news
    touched_lines: frozenset[UUID] = frozenset()

    def because(self, cause: str) -> Self:
        """What follows is caused by `cause`."""
        return replace(self, cause=cause)

    def told(self, kind: str, summary: str, **details: Any) -> Self:
        """With one more entry on the timeline; `details` are ids and figures, never contacts."""
        entry = Entry(self.order.id, kind, summary, self.cause, details)
        return replace(self, entries=(*self.entries, entry))

    def announced(self, news: News, of: Order | None = None) -> Self:
        """With news of the order, or of a part of it."""
        return replace(self, news=(*self.news, (news, of or self.order)))

    def reported(self, money: Arrival | GivenBack) -> Self:
        """With news of money for the books."""
        return replace(self, money=(*self.money, (money, self.order)))

    def with_order(self, **values: Any) -> Self:
        """With some of the order's values replaced; for the status use `moved`."""
        return replace(self, order=replace(self.order, **values))

    def with_steps(self, *steps: Step) -> Self:
        """With outside calls to be made; they are written in the transaction that decides them."""
        return replace(self, steps=(*self.steps, *steps))

    def with_line(self, line: Line) -> Self:
        lines = tuple(line if old.id == line.id else old for old in self.order.lines)
        touched = replace(self, touched_lines=self.touched_lines | {line.id})
        return touched.with_order(lines=lines)

    @property
    def is_empty(self) -> bool:
        """Nothing was decided: a repeat. Whatever is decided is told."""
        return not self.entries

    def moved(self, status: OrderStatus) -> Self:
        """Raises IllegalTransition unless `status` may follow the present one."""
        if status not in LEGAL[self.order.status]:
            raise IllegalTransition(f"an order that is {self.order.status} cannot become {status}")
        return self.with_order(status=status)


def _is(line: Line, status: LineStatus) -> bool:
    return line.status is status


@dataclass(frozen=True, slots=True)
class OrderView:
    order: Order
    deliveries: tuple[Delivery, ...]


class IllegalTransition(Conflict):
    """The order's state does not allow this."""

    code = "illegal_transition"


class OrderNotFound(NotFound):
    """There is no such order, or it is not yours."""

    code = "order_not_found"


class ReferenceTaken(Conflict):
    """The channel already has an order with this reference."""

    code = "reference_taken"


class AlreadyPaid(Conflict):
    """The order is paid by another payment already; refund this one."""

    code = "already_paid"


class OrderNotPayable(Conflict):
    """The order has ended without payment (cancelled or expired); refund the buyer."""

    code = "order_not_payable"


class OrderNotCancellable(Conflict):
    """Only an unpaid order can be cancelled; a paid one is refunded."""

    code = "order_not_cancellable"
