"""Money that goes back: one refund per order line, exactly once."""

from dataclasses import dataclass
from uuid import UUID

from kit.money import Money


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
