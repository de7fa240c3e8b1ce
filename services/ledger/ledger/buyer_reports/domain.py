"""Buyers who come back: cohorts by the month of their first paid order, and how soon a second one
follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger.figures import Number, Row, rate
from ledger.periods import Rung, Step

WITHIN_DAYS = (30, 60, 90)
MONTHS_MAX = 120
COHORT_DAYS = 365
"""Of cohorts, when nobody says of when."""
LADDER = (Rung("quarter", Step.QUARTER), Rung("day", Step.DAY), Rung("month", Step.MONTH))
"""The grains that new buyers are kept in."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Buyers who first bought in month number `first`, in month number `month`; from 1."""

    first: int
    month: int
    currency: str
    buyers: int
    orders: int
    spent: int


@dataclass(frozen=True, slots=True)
class Returning:
    """New buyers of a channel, and how many of them bought again within 30, 60, 90 days."""

    channel_id: str | None
    buyers: int
    again: Sequence[int]

    def figures(self) -> dict[str, Number]:
        figures: dict[str, Number] = {"new_buyers": self.buyers}
        for days, again in zip(WITHIN_DAYS, self.again, strict=True):
            figures |= {f"again_{days}": again, f"rate_{days}": rate(again, self.buyers)}
        return figures


def cohort_rows(cells: Sequence[Cell], starts: Sequence[datetime]) -> list[Row]:
    """A row per cohort, month and currency; `month` counts from the cohort's own, which is 0."""
    sizes: Mapping[tuple[int, str], int] = {
        (cell.first, cell.currency): cell.buyers for cell in cells if cell.first == cell.month
    }
    rows = []
    for cell in cells:
        whole = sizes.get((cell.first, cell.currency), 0)
        rows.append(
            Row(
                groups={"month": str(cell.month - cell.first)},
                at=starts[cell.first - 1],
                currency=cell.currency or None,
                figures={
                    "buyers": cell.buyers,
                    "orders": cell.orders,
                    "spent": cell.spent,
                    "retention": rate(cell.buyers, whole),
                },
            )
        )
    return rows
