"""How far a rebuild is, and whether the roll-ups are what the facts say."""

from dataclasses import dataclass

TABLES = (
    "rollup_time",
    "rollup_goods",
    "rollup_basket",
    "rollup_cohort",
    "rollup_stock",
    "rollup_buyer",
)


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` steps of a part: months of a merchant's postings, or 20,000 facts."""

    part: str
    done: int
    total: int
