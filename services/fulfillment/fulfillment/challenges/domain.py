"""Codes that buyers show before an order goes on: risk asks, here they are sent and looked at."""

from dataclasses import dataclass
from uuid import UUID

PURPOSE = "challenge_code"


@dataclass(frozen=True, slots=True)
class Asked:
    """A code is wanted for a challenge of an order."""

    challenge_id: UUID
    merchant_id: UUID
    order_id: UUID
    reference: str


def subject_of(merchant_id: UUID, challenge_id: UUID) -> str:
    """What the one-time code is shown for: of one merchant, so that no other can use up its
    tries.
    """
    return f"challenge:{merchant_id}:{challenge_id}"
