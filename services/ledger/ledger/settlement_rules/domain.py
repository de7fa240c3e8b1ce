"""How the price of a line is shared out between platform, merchant and channel.

All arithmetic is in whole minor units. One part is rounded (half up) and the others are what is
left, so the parts are always the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from kit.errors import NotFound
from kit.money import share_out

BASIS_POINTS = 10_000
SATURDAY = 5


class Bearer(StrEnum):
    """Who bears a cost; pro rata: each by its share of the price."""

    MERCHANT = "merchant"
    PLATFORM = "platform"
    PRO_RATA = "pro_rata"


class PayoutDays(StrEnum):
    """Business days are Monday to Friday without the rule's holidays."""

    CALENDAR = "calendar"
    BUSINESS = "business"


@dataclass(frozen=True, slots=True)
class Tier:
    """What a month's sales beyond `above_minor` pay; each part of a line pays its own tier."""

    above_minor: int
    basis_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Amounts are minor units of the rule's currency. The platform's share of a line is
    `fixed_minor` for each unit and the percentage (or the tiers), within minimum and maximum,
    never more than the price.
    """

    basis_points: int = 0
    fixed_minor: int = 0
    tiers: Sequence[Tier] = ()
    share_min_minor: int = 0
    share_max_minor: int | None = None
    channel_fee_bearer: Bearer = Bearer.MERCHANT
    refund_bearer: Bearer = Bearer.PRO_RATA
    warranty_days: int = 7
    payout_after_days: int = 1
    payout_days: PayoutDays = PayoutDays.CALENDAR
    payout_min_minor: int = 0
    reserve_basis_points: int = 0
    reserve_days: int = 0
    time_zone: str = "UTC"
    holidays: Sequence[date] = ()

    def month_of(self, at: datetime) -> date:
        """The month whose sales decide the tier."""
        return at.astimezone(ZoneInfo(self.time_zone)).date().replace(day=1)

    def available_at(self, at: datetime) -> datetime:
        return at + timedelta(days=self.warranty_days)

    def due_on(self, period_end: datetime) -> date:
        """T+n: the day a period's balance is to be paid out. T is the period's last day."""
        # Taken off in UTC: by the clock of a zone there may be no moment before a day's first.
        moment = period_end.astimezone(UTC) - timedelta(microseconds=1)
        day = moment.astimezone(ZoneInfo(self.time_zone)).date()
        if self.payout_days is PayoutDays.CALENDAR:
            return day + timedelta(days=self.payout_after_days)
        for _ in range(self.payout_after_days):
            day = self._next_business_day(day)
        return day

    def due_period_end(self, now: datetime) -> datetime:
        """The end of the last day (of the rule's time zone) whose balance is to be paid out by
        now.
        """
        zone = ZoneInfo(self.time_zone)
        today = now.astimezone(zone).date()
        day = today
        while self.due_on(_midnight(day, zone)) > today:
            day -= timedelta(days=1)
        return _midnight(day, zone)

    def _next_business_day(self, day: date) -> date:
        day += timedelta(days=1)
        while day.weekday() >= SATURDAY or day in self.holidays:
            day += timedelta(days=1)
        return day

    def reserve_of(self, amount_minor: int) -> int:
        """What is held back of an amount that has become available; rounded half up."""
        return _part(max(amount_minor, 0), self.reserve_basis_points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a rule is about; None stands for every one. A rule for every merchant names neither
    channel nor product: those belong to merchants.
    """

    merchant_id: UUID | None
    currency: str
    channel_id: UUID | None = None
    product_id: UUID | None = None

    def covers(self, line: "SoldLine") -> bool:
        return (
            self.currency == line.currency
            and self.merchant_id in (None, line.merchant_id)
            and self.channel_id in (None, line.channel_id)
            and self.product_id in (None, line.product_id)
        )

    @property
    def precedence(self) -> int:
        """Higher wins: product before channel before merchant before everybody."""
        return (
            4 * (self.product_id is not None)
            + 2 * (self.channel_id is not None)
            + (self.merchant_id is not None)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One version of the rule of a scope. The newest version that is valid decides; one that is
    not enabled lets the next wider scope decide.
    """

    id: UUID
    scope: Scope
    version: int
    valid_from: datetime
    is_enabled: bool
    terms: Terms
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldLine:
    """A delivered line. `channel_fee_minor`: what the channel kept of the price."""

    merchant_id: UUID
    channel_id: UUID
    product_id: UUID | None
    currency: str
    gross_minor: int
    quantity: int
    at: datetime
    channel_fee_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the derivation, and the share as it is after it."""

    what: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """gross = channel fee + platform + merchant, always. `share_minor` is the platform's share
    before channel fees that it bears; `platform_minor` after, and may be negative.
    """

    gross_minor: int
    channel_fee_minor: int
    share_minor: int
    platform_minor: int
    merchant_minor: int
    steps: Sequence[Step]


def in_force(rules: Sequence[Rule], at: datetime) -> dict[Scope, Rule]:
    """Of each scope the newest version that is valid then; none where that is not enabled."""
    newest: dict[Scope, Rule] = {}
    for rule in rules:
        if rule.valid_from <= at:
            known = newest.get(rule.scope)
            if known is None or known.version < rule.version:
                newest[rule.scope] = rule
    return {scope: rule for scope, rule in newest.items() if rule.is_enabled}


def rule_for(rules: Sequence[Rule], line: SoldLine) -> Rule | None:
    """The most specific rule that is valid when the line was sold; None: it is not shared out."""
    covering = [rule for rule in rules if rule.scope.covers(line)]
    found = in_force(covering, line.at).values()
    return max(found, key=lambda rule: rule.scope.precedence, default=None)


def divide(terms: Terms, line: SoldLine, month_volume_minor: int = 0) -> Parts:
    """`month_volume_minor`: what was sold under the rule in the month before this line."""
    fee = min(line.channel_fee_minor, line.gross_minor)
    steps = list(_steps(terms, line, month_volume_minor))
    parts = bear(terms.channel_fee_bearer, line.gross_minor, fee, steps[-1].amount_minor)
    if parts.share_minor != steps[-1].amount_minor:
        what = "at most what the channel fee leaves"
        steps.append(Step(what=what, amount_minor=parts.share_minor))
    return replace(parts, steps=steps)


def bear(bearer: Bearer, gross_minor: int, fee_minor: int, share_minor: int) -> Parts:
    """What is left of a share and of the merchant's part when the channel has kept its fee."""
    match bearer:
        case Bearer.MERCHANT:
            # The merchant never pays for having sold something: first the channel, then we.
            share_minor = min(share_minor, gross_minor - fee_minor)
            borne = 0
        case Bearer.PLATFORM:
            borne = fee_minor
        case Bearer.PRO_RATA:
            borne = share_out(fee_minor, [share_minor, gross_minor - share_minor])[0]
        case _:
            assert_never(bearer)
    return Parts(
        gross_minor=gross_minor,
        channel_fee_minor=fee_minor,
        share_minor=share_minor,
        platform_minor=share_minor - borne,
        merchant_minor=gross_minor - fee_minor - (share_minor - borne),
        steps=(),
    )


def refund_parts(
    bearer: Bearer, *, gross_minor: int, share_minor: int, before_minor: int, refund_minor: int
) -> tuple[int, int]:
    """(platform's part, merchant's part) of a refund, after `before_minor` was refunded already.

    Pro rata is rounded on the running total, so the parts of all refunds of a line add up to what
    one refund of the same size would take.
    """
    match bearer:
        case Bearer.MERCHANT:
            platform = 0
        case Bearer.PLATFORM:
            platform = refund_minor
        case Bearer.PRO_RATA:
            after = _ratio(before_minor + refund_minor, share_minor, gross_minor)
            platform = after - _ratio(before_minor, share_minor, gross_minor)
        case _:
            assert_never(bearer)
    return platform, refund_minor - platform


def _steps(terms: Terms, line: SoldLine, volume_minor: int) -> Sequence[Step]:
    gross = line.gross_minor
    steps = [_rate_step(terms, gross, volume_minor)]

    def then(what: str, amount_minor: int) -> None:
        if amount_minor != steps[-1].amount_minor:
            steps.append(Step(what=what, amount_minor=amount_minor))

    fixed = terms.fixed_minor * line.quantity
    then(f"and {terms.fixed_minor} for each of {line.quantity}", steps[-1].amount_minor + fixed)
    then(f"at least {terms.share_min_minor}", max(steps[-1].amount_minor, terms.share_min_minor))
    if terms.share_max_minor is not None:
        then(f"at most {terms.share_max_minor}", min(steps[-1].amount_minor, terms.share_max_minor))
    then("at most the price", min(steps[-1].amount_minor, gross))
    return steps


def _rate_step(terms: Terms, gross: int, volume_minor: int) -> Step:
    if not terms.tiers:
        what = f"{terms.basis_points} basis points of {gross}"
        return Step(what=what, amount_minor=_part(gross, terms.basis_points))
    pieces = _pieces(terms, gross, volume_minor)
    exact = sum(amount * rate for amount, rate in pieces)
    shown = " + ".join(f"{rate} basis points of {amount}" for amount, rate in pieces)
    what = f"{shown or 'nothing'}, after {volume_minor} this month"
    return Step(what=what, amount_minor=_half_up(exact, BASIS_POINTS))


def _pieces(terms: Terms, gross: int, volume_minor: int) -> list[tuple[int, int]]:
    """(amount, rate): the line cut where the month's volume crosses into another tier."""
    start, end = volume_minor, volume_minor + gross
    bounds = [Tier(0, terms.basis_points), *terms.tiers]
    pieces = []
    for place, tier in enumerate(bounds):
        upper = bounds[place + 1].above_minor if place + 1 < len(bounds) else end
        amount = min(end, upper) - max(start, tier.above_minor)
        if amount > 0:
            pieces.append((amount, tier.basis_points))
    return pieces


def _part(amount_minor: int, basis_points: int) -> int:
    return _half_up(amount_minor * basis_points, BASIS_POINTS)


def _ratio(amount_minor: int, part: int, whole: int) -> int:
    return _half_up(amount_minor * part, whole) if whole else 0


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


class SettlementRuleNotFound(NotFound):
    """There is no such settlement rule, or it is not yours."""

    code = "settlement_rule_not_found"


class NoSettlementRule(NotFound):
    """No rule covers such a line, so nothing of it is shared out; make a rule first."""

    code = "no_settlement_rule"
