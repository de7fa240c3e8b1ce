"""Money that goes back: one refund per order line, exactly once."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from kit.money import Money


class RefundStatus(StrEnum):
    DUE = "due"
    SENT = "sent"  # the provider was or is being asked; without an answer the outcome is unknown
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Refund:
    """A line's money on its way back. `id` is our reference at the provider, on every attempt."""

    id: UUID
    order_id: UUID
    line_id: UUID
    merchant_id: UUID
    provider: str
    provider_reference: str
    amount: Money
    reason: str
