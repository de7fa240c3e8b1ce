"""What is rolled up, and how far a rebuild is."""

from dataclasses import dataclass

TABLES = (
    "rollup_time",
    "rollup_goods",
    "rollup_basket",
    "rollup_cohort",
    "rollup_stock",
    "rollup_buyer",
)

MONEY = ("sales", "discounts", "refunds", "cost", "fees", "other")
"""From the postings, minor units; `other` is what else went through income and expenses."""
COUNTS = ("placed", "paid", "delivered", "refunded", "ended")
"""Orders by when each happened."""
OF_PLACED = ("of_placed_paid", "of_placed_delivered", "of_placed_refunded", "of_placed_ended")
"""What became of the orders that were placed in the quarter hour."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` steps of a part: months of a merchant's postings, or 20,000 facts."""

    part: str
    done: int
    total: int
