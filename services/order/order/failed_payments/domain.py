"""Payments that a buyer's bank refused: noted on the order, told to risk, each once.

What nobody paid in time, or what somebody closed, is no refusal: it says nothing of a card.
"""

from dataclasses import dataclass
from uuid import UUID

from order.orders.domain import Change, Order

FAILED_MAX = 100
"""Of one order. Who tries more cards than that has told risk enough."""


@dataclass(frozen=True, slots=True)
class FailedPayment:
    """`reference` is what the provider calls this try: the same is noted once."""

    provider: str
    reference: str
    reason: str
    checkout_id: UUID | None = None


def note(order: Order, failed: FailedPayment, cause: str) -> Change:
    """The order stays as it is: it may still be paid another way."""
    return Change(order, cause).told(
        "payment_failed",
        f"a payment by {failed.provider} failed: {failed.reason}",
        provider=failed.provider,
        provider_reference=failed.reference,
        reason=failed.reason,
        **({"checkout_id": str(failed.checkout_id)} if failed.checkout_id else {}),
    )
