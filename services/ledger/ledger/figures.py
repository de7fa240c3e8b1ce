"""What reports answer: rows of figures, and what each figure is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

Number = int | float | None
CHANNEL = "channel"
"""The group that has names beside its ids."""
NONE = "none"
"""In a filter: what has no such dimension."""

DEFINITIONS: Mapping[str, str] = {
    "placed": "Orders placed in the period.",
    "paid": "Orders whose whole amount arrived in the period.",
    "delivered": "Orders of which something was delivered in the period; each counts once.",
    "refunded": "Orders of which money went back for the first time in the period.",
    "ended": "Orders cancelled or expired before they were paid, in the period.",
    "units": "Units of delivered lines, as they were ordered.",
    "sales": "Delivered lines before discounts: `revenue`. Own vouchers count when they are"
    " redeemed. By lot or supplier: what was paid for each line, shared among its lots by units.",
    "discounts": "What coupons and promotions took off, `discounts:`; by lot already in sales.",
    "refunds": "Money back for what was delivered: `refunds`.",
    "net_sales": "sales - discounts - refunds.",
    "cost": "`cost-of-goods`: what the units cost, of their very lots, less accepted claw-backs.",
    "fees": "What channels and the platform keep: `channel-fees`, `platform-fees`.",
    "margin": "Gross margin: net_sales - cost - fees.",
    "margin_rate": "margin / net_sales; null without net sales.",
    "other": "Whatever else went through income and expense accounts, income positive.",
    "paid_rate": "Of the orders placed in the period, the share that is paid by now.",
    "delivered_rate": "Of the orders placed in the period, the share delivered by now.",
    "refunded_rate": "Of the orders placed in the period, the share refunded by now.",
    "ended_rate": "Of the orders placed in the period, the share cancelled or expired unpaid.",
    "buyers": "Buyers who bought: each counts once.",
    "new_buyers": "Buyers whose first paid order lies in the period.",
    "again_30": "Of the new buyers, those whose second paid order came within 30 days.",
    "again_60": "The same within 60 days.",
    "again_90": "The same within 90 days.",
    "rate_30": "again_30 / new_buyers. Those who came last may still return.",
    "rate_60": "again_60 / new_buyers.",
    "rate_90": "again_90 / new_buyers.",
    "orders": "Paid orders of these buyers; in baskets, delivered orders with both products.",
    "spent": "Totals of these orders, in minor units.",
    "retention": "buyers of the month / buyers of the cohort's first month.",
    "lots": "Lots with something on the shelf.",
    "value": "What the units on the shelf cost: the balance of the lots' postings to `inventory`.",
    "age_days": "Days since the lot was imported.",
    "expires_days": "Days until the lot expires; null when it does not.",
    "received": "What was ever put on the shelf, at cost.",
    "sold": "Units delivered of the supplier's lots, ever.",
    "dead": "Claims granted on units of these lots, replaced or refunded, ever.",
    "dead_rate": "dead / sold.",
    "first_orders": "Orders with the first product.",
    "second_orders": "Orders with the second product.",
    "confidence": "orders / first_orders: who bought the second of those who bought the first.",
    "lift": "How much more often than by chance the two are bought together; 1 is chance.",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a report. `groups` by dimension; None: what has none. `postings` is where the
    figures come from.
    """

    groups: Mapping[str, str | None]
    figures: Mapping[str, Number]
    at: datetime | None = None
    currency: str | None = None
    previous: Mapping[str, Number] | None = None
    postings: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """`columns` are the figures in their order. `has_more`: there are rows after these."""

    name: str
    since: datetime | None
    until: datetime | None
    zone: str
    dimensions: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Row]
    totals: Sequence[Row] = ()
    previous_since: datetime | None = None
    bucket: str | None = None
    has_more: bool = False
    channel_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def names_channels(self) -> bool:
        return CHANNEL in self.dimensions

    def channel_name(self, row: Row) -> str | None:
        """None for none, and for one that no order has named yet."""
        return self.channel_names.get(row.groups.get(CHANNEL) or "")


def filter_of(value: str | None) -> str:
    """How a filter says it: `none` for what has none; in quotes what would be read otherwise."""
    if value is None:
        return NONE
    return f'"{value}"' if value == NONE or _is_quoted(value) else value


def value_of(written: str) -> str | None:
    """What a filter means. Nothing at all is none, too."""
    if written in ("", NONE):
        return None
    return written[1:-1] if _is_quoted(written) else written


def _is_quoted(written: str) -> bool:
    return len(written) > 1 and written[0] == written[-1] == '"'


def rate(part: int, whole: int) -> float | None:
    """To four digits; None of nothing."""
    return round(part / whole, 4) if whole else None
