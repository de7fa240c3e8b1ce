"""How far a rebuild is, and whether the roll-ups are what the facts say."""

from dataclasses import dataclass

TABLES = ("rollup_time", "rollup_goods", "rollup_basket", "rollup_cohort", "rollup_stock")


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` steps of a part; a step is a month of postings or 20,000 facts."""

    part: str
    done: int
    total: int
