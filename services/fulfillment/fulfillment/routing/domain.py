"""Which offer is bought, and which supplier is not spoken to for a while.

`rank` is pure: the same offers come out in the same order, with the figures that put them there.
Amounts of different currencies are never compared: an offer in another currency is not chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from fulfillment.connector import Done, Failed, NotFound, NotSent, Report, Unknown
from kit.money import Money

BUCKET_EDGES_MS: tuple[int, ...] = tuple(50 << number for number in range(16))
"""Upper edges of the classes latencies are counted in: 50 ms to 27 min; the last is open."""
STATISTIC_DAYS = 7
PROGRESS = frozenset({"in_progress", "not_found_yet", "no_codes"})
"""What a supplier that works says: its circuit stays as it is."""
BUYERS_FAULT = frozenset({"account_unknown", "account_blocked", "quantity_not_allowed"})
"""A no that says nothing about the supplier."""
DOUBTS = frozenset({"balance_too_low", "circuit_open", "no_stock"})
"""What only our figures say against an offer: the supplier would have the last word."""
_STALE = timedelta(hours=24)
_PERCENT = 100


OfferKey = tuple[UUID, str, str]
"""A merchant's, the supplier, and what the supplier calls it."""


class Outcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one call told: of the purchase by its states before and after, of the supplier by its
    report. `seconds` since the purchase was sent.
    """

    merchant_id: UUID
    supplier: str
    supplier_sku: str
    report: Report
    was: str
    now: str
    seconds: float

    @property
    def outcome(self) -> Outcome | None:
        """What is counted; a purchase that stays as it was is counted once."""
        if self.was == self.now or self.now not in set(Outcome):
            return None
        if isinstance(self.report, Failed) and self.report.code in BUYERS_FAULT:
            return None
        return Outcome(self.now)

    @property
    def is_trouble(self) -> bool | None:
        """Whether the supplier did not do what a supplier does; None: it says nothing of that."""
        match self.report:
            case Done() | Failed() | NotFound():
                return False
            case Unknown():
                return self.report.reason not in PROGRESS
            case NotSent():
                # Ours to mend (a ceiling, an article, a quantity), or our own delay.
                is_ours = self.report.is_final or self.report.reason == "not_sent_in_time"
                return None if is_ours else True

    @property
    def bucket(self) -> int:
        millis = self.seconds * 1000
        return next(
            (at for at, edge in enumerate(BUCKET_EDGES_MS) if millis <= edge),
            len(BUCKET_EDGES_MS) - 1,
        )


@dataclass(frozen=True, slots=True)
class Record:
    """What was seen of an offer in the last days. `p95_ms` is None while nothing was done."""

    done: int = 0
    failed: int = 0
    unknown: int = 0
    p95_ms: int | None = None

    @property
    def success_percent(self) -> int:
        """Of what became definite or unknown; as if one had worked before anything was tried, so
        that a new supplier gets its chance and one failure is not the end.
        """
        tried = self.done + self.failed + self.unknown
        return max(_PERCENT * (self.done + 1) // (tried + 1), 1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer as it is known. `landed` is what one costs with everything on top, `limit` what it
    may so cost at most, `cost_max` what its supplier may take for one; `stock` and `balance` are
    None when nobody tells. `why_not`: not to be bought at all.
    """

    supplier: str
    supplier_sku: str
    landed: Money
    limit: Money
    cost_max: Money
    record: Record = Record()
    priority: int = 0
    quantity_min: int = 1
    quantity_max: int | None = None
    stock: int | None = None
    balance: Money | None = None
    seen_at: datetime | None = None
    is_circuit_open: bool = False
    why_not: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.supplier, self.supplier_sku


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates in the order they are to be tried; `explanation` has all of them with figures."""

    order: tuple[Candidate, ...]
    explanation: tuple[dict[str, Any], ...]


def rank(
    candidates: Sequence[Candidate],
    *,
    currency: str,
    quantity: int,
    now: datetime,
    is_whole: bool = False,
) -> Ranked:
    """The cheapest success first: landed cost by success rate, then fresh figures before stale
    ones, speed, priority, name.

    `is_whole`: one offer must take all of it, and somebody waits; so what only our figures speak
    against (DOUBTS) comes after all others instead of not at all.
    """
    judged = [(each, _why_not(each, currency, quantity, is_whole=is_whole)) for each in candidates]
    order = sorted(
        (why_not != "", _worth(each, now), place)
        for place, (each, why_not) in enumerate(judged)
        if not why_not or (is_whole and why_not in DOUBTS)
    )
    usable = [candidates[place] for _, _, place in order]
    places = {each.key: place for place, each in enumerate(usable, 1)}
    told = [_told(each, why_not, places.get(each.key), now) for each, why_not in judged]
    told.sort(key=lambda row: (row["place"] is None, row["place"] or 0, row["supplier"]))
    return Ranked(tuple(usable), tuple(told))


def _why_not(each: Candidate, currency: str, quantity: int, *, is_whole: bool) -> str:
    barred = each.why_not or _barred(each, currency, quantity, is_whole=is_whole)
    return barred or _doubt(each, currency, quantity if is_whole else each.quantity_min)


def _barred(each: Candidate, currency: str, quantity: int, *, is_whole: bool) -> str:
    """What no supplier's word could change."""
    if each.landed.currency != currency or each.limit.currency != currency:
        return "other_currency"
    if each.landed.amount_minor > each.limit.amount_minor:
        return "cost_above_limit"
    if quantity < each.quantity_min:
        return "quantity_too_small"
    if is_whole and each.quantity_max is not None and quantity > each.quantity_max:
        return "quantity_too_large"
    return ""


def _doubt(each: Candidate, currency: str, least: int) -> str:
    """Of buying at least so many."""
    if each.is_circuit_open:
        return "circuit_open"
    if each.stock is not None and each.stock < least:
        return "no_stock"
    balance = each.balance
    is_known = balance is not None and balance.currency == currency
    if is_known and balance is not None and balance.amount_minor < each.landed.amount_minor * least:
        return "balance_too_low"
    return ""


def _worth(each: Candidate, now: datetime) -> tuple[int, bool, int, int, str, str]:
    """The lower, the better. A success that needs two tries costs twice."""
    expected = each.landed.amount_minor * _PERCENT * _PERCENT // each.record.success_percent
    latency = each.record.p95_ms or 0
    return (expected, is_stale(each, now), latency, -each.priority, *each.key)


def is_stale(each: Candidate, now: datetime) -> bool:
    """Its figures are old: seen long ago. What was never listed is not stale but plain."""
    return each.seen_at is not None and now - each.seen_at > _STALE


def _told(each: Candidate, why_not: str, place: int | None, now: datetime) -> dict[str, Any]:
    return {
        "supplier": each.supplier,
        "supplier_sku": each.supplier_sku,
        "place": place,
        "why_not": why_not,
        "landed_minor": each.landed.amount_minor,
        "currency": each.landed.currency,
        "success_percent": each.record.success_percent,
        "p95_ms": each.record.p95_ms,
        "stock": each.stock,
        "balance_minor": each.balance.amount_minor if each.balance else None,
        "is_stale": is_stale(each, now),
        "priority": each.priority,
    }


def p95_of(buckets: Sequence[tuple[int, int]]) -> int | None:
    """Of (class, number) pairs: the upper edge of the class where 95 of 100 are over."""
    whole = sum(number for _, number in buckets)
    if whole == 0:
        return None
    needed, so_far = -(-whole * 95 // _PERCENT), 0
    for bucket, number in sorted(buckets):
        so_far += number
        if so_far >= needed:
            return BUCKET_EDGES_MS[bucket]
    return BUCKET_EDGES_MS[-1]
