"""What is known of an order's money in the end: what was told, what was answered, what is written.

Plain data, so that the checker can be shown broken tales too.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Told:
    """A payment as it was told, `answers` times at once: (status, body or problem code)."""

    reference: str
    amount: int
    currency: str
    is_word: bool
    answers: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class PaymentRow:
    id: str
    reference: str
    status: str
    amount: int
    currency: str
    applied: int
    back: int


@dataclass(frozen=True, slots=True)
class RefundRow:
    id: str
    payment_id: str
    line_id: str | None
    amount: int
    currency: str
    status: str


@dataclass(frozen=True, slots=True)
class LineRow:
    id: str
    status: str
    total: int
    refund: int
    refunded: int


@dataclass(frozen=True, slots=True)
class Tale:
    """One order."""

    id: str
    status: str
    total: int
    currency: str
    told: tuple[Told, ...] = ()
    cancels: tuple[int, ...] = ()  # statuses of the answers
    asked_refunds: tuple[tuple[tuple[int, bytes], ...], ...] = ()  # answers, per call
    payments: tuple[PaymentRow, ...] = ()
    refunds: tuple[RefundRow, ...] = ()
    lines: tuple[LineRow, ...] = ()
    timeline: tuple[str, ...] = ()  # kinds, in order
    news: tuple[str, ...] = ()  # types of the events, in order
    shown: dict[str, int] = field(default_factory=dict)  # paid, refunded, open as the API says
    liability: dict[str, int] = field(default_factory=dict)  # the ledger's, by currency
