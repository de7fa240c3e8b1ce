"""What is done about a claim without asking a person, per merchant or product."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

EVERY_PRODUCT = ""
"""The SKU of the policy for products that have none of their own."""


class WhenShort(StrEnum):
    """What becomes of a replacement for which there is no unit of another lot."""

    WAIT = "wait"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class ClaimPolicy:
    """Without any set, everything waits for a person; lots are watched all the same.

    A claim is replaced by itself within `warranty_hours` of the sale (0: always), while the buyer
    has made at most `buyer_claims_max` claims in `buyer_days`, if
    - `auto_unseen`: nobody has ever seen the code, or
    - `auto_hours` > 0: it was first seen at most so long ago, and of its lot at least
      `auto_lot_claims_min` units were claimed, at a rate of `auto_lot_rate` basis points or more.
    A lot is quarantined when `lot_claims_min` claims of two buyers or more came and the lower bound
    of its rate lies above `lot_norm` basis points.
    """

    merchant_id: UUID
    sku: str = EVERY_PRODUCT
    auto_unseen: bool = False
    auto_hours: int = 0
    auto_lot_claims_min: int = 2
    auto_lot_rate: int = 300
    buyer_claims_max: int = 2
    buyer_days: int = 30
    warranty_hours: int = 0
    when_short: WhenShort = WhenShort.WAIT
    watches_lots: bool = True
    lot_claims_min: int = 3
    lot_norm: int = 100
