"""Questions about sales: which figures, by what, of when; and what is reckoned from the sums."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote_plus
from uuid import UUID

from kit.errors import Invalid
from ledger.figures import Number, filter_of, rate
from ledger.periods import Bucket, Period, Rung, Span, Step
from ledger.rollups.domain import MONEY


class Dimension(StrEnum):
    CHANNEL = "channel"
    PRODUCT = "product"
    SKU = "sku"
    BUYER_GROUP = "buyer_group"
    SUPPLIER = "supplier"
    LOT = "lot"


TIME_DIMENSIONS = frozenset({Dimension.CHANNEL, Dimension.BUYER_GROUP})
"""What orders are counted by; the rest are about goods."""
ITEM_DIMENSIONS = frozenset({Dimension.PRODUCT, Dimension.SKU})
PRODUCT_DIMENSIONS = frozenset({Dimension.CHANNEL, Dimension.PRODUCT, Dimension.SKU})
LOT_DIMENSIONS = frozenset({Dimension.SUPPLIER, Dimension.LOT})
# The grains that keep these dimensions, the finest first; the first line that fits is taken.
_TIME_LADDERS = (
    (frozenset[Dimension](), "total_hour"),
    (frozenset({Dimension.CHANNEL}), "channel_hour"),
    (TIME_DIMENSIONS, "hour"),
)
_GOODS_LADDERS: tuple[tuple[frozenset[Dimension], tuple[Rung, ...]], ...] = (
    (
        ITEM_DIMENSIONS,
        (
            Rung("item_part", Step.PART),
            Rung("item_day", Step.DAY),
            Rung("item_month", Step.MONTH),
        ),
    ),
    (PRODUCT_DIMENSIONS, (Rung("product_day", Step.DAY), Rung("product_month", Step.MONTH))),
    (LOT_DIMENSIONS, (Rung("lot_day", Step.DAY), Rung("lot_month", Step.MONTH))),
    (frozenset(Dimension), (Rung("month", Step.MONTH),)),
)
_QUARTER = Rung("quarter", Step.QUARTER)
_PARAMETERS = {
    Dimension.CHANNEL: "channel_id",
    Dimension.PRODUCT: "product_id",
    Dimension.LOT: "lot_id",
}
SUMS = ("units", *MONEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`where` keeps only what has these values; None: no value. `sort` is one of the sums.
    `within` asks for the buckets from that number to that one alone.
    """

    merchant_id: UUID
    period: Period
    dimensions: tuple[Dimension, ...] = ()
    bucket: Bucket | None = None
    where: Mapping[Dimension, str | None] = field(default_factory=dict)
    sort: str | None = "sales"
    within: tuple[int, int] | None = None

    @property
    def is_about_goods(self) -> bool:
        return not {*self.dimensions, *self.where} <= TIME_DIMENSIONS

    @property
    def is_by_lot(self) -> bool:
        """Sales have no lot: they are shared among the lots of their line."""
        return bool({*self.dimensions, *self.where} & {Dimension.LOT, Dimension.SUPPLIER})

    def spans(self) -> list[Span]:
        """The rows of the roll-up that cover the period with the fewest of them."""
        used = {*self.dimensions, *self.where}
        if self.is_about_goods:
            ladder = next(rungs for kept, rungs in _GOODS_LADDERS if used <= kept)
        else:
            ladder = (time_hours(used), Rung("day", Step.DAY), Rung("month", Step.MONTH))
        return self.period.spans((_QUARTER, *ladder), self.bucket, self.within)

    def of_previous(self, within: tuple[int, int] | None = None) -> "Question":
        return replace(self, period=self.period.previous(), within=within)

    def without_groups(self) -> "Question":
        return replace(self, dimensions=(), bucket=None)


def time_hours(used: Collection[Dimension]) -> Rung:
    """The hours of orders that keep these dimensions."""
    return Rung(next(grain for kept, grain in _TIME_LADDERS if kept >= set(used)), Step.HOUR)


@dataclass(frozen=True, slots=True)
class Sum:
    """One group's sums. `bucket` is the number of its bucket, from 0."""

    groups: tuple[str | None, ...]
    bucket: int
    currency: str
    sums: Mapping[str, int]

    @property
    def key(self) -> tuple[tuple[str | None, ...], int, str]:
        return self.groups, self.bucket, self.currency


def figures_of(sums: Mapping[str, int], wanted: Sequence[str]) -> dict[str, Number]:
    """Those that are wanted, reckoned from the sums."""
    known: dict[str, Number] = dict(sums)
    net = sums["sales"] - sums["discounts"] - sums["refunds"]
    margin = net - sums["cost"] - sums["fees"]
    known |= {"net_sales": net, "margin": margin, "margin_rate": rate(margin, net)}
    if "of_placed_paid" in sums:
        placed = sums["placed"]
        known |= {
            "paid_rate": rate(sums["of_placed_paid"], placed),
            "delivered_rate": rate(sums["of_placed_delivered"], placed),
            "refunded_rate": rate(sums["of_placed_refunded"], placed),
            "ended_rate": rate(sums["of_placed_ended"], placed),
        }
    return {name: known[name] for name in wanted}


def postings_link(
    question: Question,
    groups: Sequence[str | None],
    since: datetime,
    until: datetime,
    currency: str,
) -> str:
    """Where the money of a group comes from."""
    values = {"from": _iso(since), "to": _iso(until), "currency": currency}
    given = {**dict(zip(question.dimensions, groups, strict=True)), **question.where}
    for dimension, value in given.items():
        values[_PARAMETERS.get(dimension, dimension.value)] = filter_of(value)
    return "/v1/postings?" + "&".join(f"{name}={_quoted(value)}" for name, value in values.items())


# Each row has a link, and most rows have the same channels, products and times.
@lru_cache(maxsize=8_192)
def _quoted(value: str) -> str:
    return quote_plus(value)


@lru_cache(maxsize=8_192)
def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class SortUnknown(Invalid):
    """This report cannot be sorted so; `sort` is one of its sums."""

    code = "sort_unknown"


class OnlyByChannel(Invalid):
    """This report counts orders, which have a channel and a buyer group; group it by these."""

    code = "only_by_channel"
