"""The rules that prices are made of: what they say, for whom and when they hold.

All amounts are integers of minor units, all percentages are basis points (1/100 of a per cent).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any, assert_never
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound

WHOLE = 10_000
"""Basis points of the whole."""
TIERS_MAX = 20
ENTRIES_MAX = 5_000
"""Of one price list."""
ENTRIES_PER_CALL_MAX = 500
RULES_MAX = 200
"""Rules of one kind that a merchant may have active at a time."""


class RuleKind(StrEnum):
    PRICE_LIST = "price_list"
    PROMOTION = "promotion"
    COUPON = "coupon"
    MARGIN_FLOOR = "margin_floor"


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom and when a rule holds; what is empty does not restrict."""

    channels: frozenset[UUID] = frozenset()
    groups: frozenset[str] = frozenset()
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    @property
    def specificity(self) -> int:
        return bool(self.channels) + bool(self.groups)

    def holds(self, channel_id: UUID, groups: frozenset[str], now: datetime) -> bool:
        """From `valid_from` on, and until just before `valid_to`."""
        if self.valid_from is not None and now < self.valid_from:
            return False
        if self.valid_to is not None and now >= self.valid_to:
            return False
        if self.channels and channel_id not in self.channels:
            return False
        return not self.groups or not self.groups.isdisjoint(groups)

    def next_change(self, now: datetime) -> datetime | None:
        """When the rule begins or ends next."""
        ahead = [it for it in (self.valid_from, self.valid_to) if it is not None and it > now]
        return min(ahead, default=None)


@dataclass(frozen=True, slots=True)
class Tier:
    """From `min_quantity` on: a unit price, or so much off the ladder's own price."""

    min_quantity: int
    price: int | None = None
    basis_points_off: int = 0

    def unit_price(self, base: int) -> int:
        return self.price if self.price is not None else taken_off(base, self.basis_points_off)


@dataclass(frozen=True, slots=True)
class Ladder:
    """A unit price that may depend on the quantity: `price`, or so much off a base, and tiers.

    With a price, tiers are relative to it. Without one, the entry and its tiers are percentages
    off the product's own price for that quantity.
    """

    price: int | None = None
    basis_points_off: int = 0
    tiers: tuple[Tier, ...] = ()
    allow_rising: bool = False

    def unit_price(self, base: int, quantity: int) -> int:
        start = base if self.price is None else self.price
        reached = None
        for tier in self.tiers:  # sorted by quantity
            if tier.min_quantity > quantity:
                break
            reached = tier
        if reached is not None:
            return reached.unit_price(start)
        return taken_off(start, self.basis_points_off)

    def checked(self) -> "Ladder":
        """With its tiers sorted. Raises BadTiers, TiersRise."""
        tiers = tuple(sorted(self.tiers, key=lambda tier: tier.min_quantity))
        if len({tier.min_quantity for tier in tiers}) < len(tiers):
            raise BadTiers("two tiers begin at the same quantity")
        if self.price is None and any(tier.price is not None for tier in tiers):
            raise BadTiers("the tiers of an entry in percent are in percent, too")
        # Percentages are compared on a price so high that no two of them round to the same.
        start = WHOLE * WHOLE if self.price is None else self.price
        units = [taken_off(start, self.basis_points_off), *(it.unit_price(start) for it in tiers)]
        rising = [place for place, (less, more) in enumerate(pairwise(units)) if more > less]
        if rising and not self.allow_rising:
            raise TiersRise(min_quantity=tiers[rising[0]].min_quantity)
        return Ladder(self.price, self.basis_points_off, tiers, self.allow_rising)


class EffectKind(StrEnum):
    PERCENT_OFF = "percent_off"  # basis points
    AMOUNT_OFF = "amount_off"
    FIXED_PRICE = "fixed_price"  # of each unit


@dataclass(frozen=True, slots=True)
class Effect:
    """What a promotion or coupon does to a price. It never makes one dearer."""

    kind: EffectKind
    value: int

    def applied(self, amount: int) -> int:
        """What is left of a unit's price."""
        if self.kind is EffectKind.PERCENT_OFF:
            return taken_off(amount, self.value)
        if self.kind is EffectKind.AMOUNT_OFF:
            return max(0, amount - self.value)
        return min(amount, self.value)


class RoundingMode(StrEnum):
    HALF_EVEN = "half_even"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Rounding:
    """To multiples of `step` plus `ending`: step 100 and ending 99 make prices like 19.99."""

    step: int
    mode: RoundingMode = RoundingMode.HALF_EVEN
    ending: int = 0

    def applied(self, amount: int) -> int:
        """An amount too small for the rule stays as it is: rounding makes nothing free."""
        below = (amount - self.ending) // self.step
        over = amount - self.ending - below * self.step
        steps = below + self._is_up(over, below)
        rounded = steps * self.step + self.ending
        return rounded if rounded > 0 else amount

    def _is_up(self, over: int, below: int) -> bool:
        if self.mode is RoundingMode.DOWN or over == 0:
            return False
        if self.mode is RoundingMode.UP:
            return True
        return 2 * over > self.step or (2 * over == self.step and below % 2 == 1)


@dataclass(frozen=True, slots=True)
class ListTerms:
    """A price list; its entries are kept apart. `rounding` is of what its entries say."""

    rounding: Rounding | None = None


@dataclass(frozen=True, slots=True)
class PromotionTerms:
    """`skus` empty: all products. `budget`: what may be given away in all, None for no limit."""

    effect: Effect
    skus: frozenset[str] = frozenset()
    is_exclusive: bool = True
    budget: int | None = None


@dataclass(frozen=True, slots=True)
class CouponTerms:
    """`skus` empty: all products. An exclusive coupon is the only one of its order."""

    effect: Effect
    skus: frozenset[str] = frozenset()
    minimum_spend: int = 0
    discount_max: int | None = None
    is_exclusive: bool = True
    returns_on_refund: bool = False
    uses_max: int | None = None
    uses_per_buyer_max: int | None = None
    budget: int | None = None
    code: str | None = None  # shared by all buyers; None for a coupon with single-use codes


@dataclass(frozen=True, slots=True)
class FloorTerms:
    """So much above what a unit costs; the higher of the two counts. `skus` empty: all."""

    skus: frozenset[str] = frozenset()
    basis_points: int = 0
    amount: int = 0

    def floor(self, cost: int) -> int:
        """The least a unit may be sold for."""
        by_share = -(-cost * (WHOLE + self.basis_points) // WHOLE)
        return max(by_share, cost + self.amount)


Terms = ListTerms | PromotionTerms | CouponTerms | FloorTerms


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is kept; each edit makes its `version` one higher."""

    id: UUID
    merchant_id: UUID
    kind: RuleKind
    name: str
    version: int
    priority: int
    scope: Scope
    currency: str | None
    is_active: bool
    terms: Terms
    created_at: datetime
    updated_at: datetime

    def fits(self, currency: str) -> bool:
        """Amounts of another currency say nothing about a price."""
        return self.currency is None or self.currency == currency


def taken_off(amount: int, basis_points: int) -> int:
    """The amount less a share of it, rounded half to even."""
    if basis_points == 0:
        return amount
    return divided(amount * (WHOLE - basis_points), WHOLE)


def divided(amount: int, by: int) -> int:
    """Rounded half to even; for amounts that are not negative."""
    whole, rest = divmod(amount, by)
    is_up = 2 * rest > by or (2 * rest == by and whole % 2 == 1)
    return whole + is_up


def rounding_document(rounding: Rounding) -> dict[str, Any]:
    return {"step": rounding.step, "mode": rounding.mode.value, "ending": rounding.ending}


def rounding_of(document: Mapping[str, Any] | None) -> Rounding | None:
    if document is None:
        return None
    return Rounding(document["step"], RoundingMode(document["mode"]), document["ending"])


def ladder_document(ladder: Ladder) -> dict[str, Any]:
    return {
        "price": ladder.price,
        "basis_points_off": ladder.basis_points_off,
        "tiers": [[it.min_quantity, it.price, it.basis_points_off] for it in ladder.tiers],
        "allow_rising": ladder.allow_rising,
    }


def ladder_of(document: Mapping[str, Any]) -> Ladder:
    return Ladder(
        document["price"],
        document["basis_points_off"],
        tuple(Tier(*tier) for tier in document["tiers"]),
        document["allow_rising"],
    )


def terms_document(terms: Terms) -> dict[str, Any]:
    """As the database has it; `terms_of` reads it back."""
    match terms:
        case ListTerms(rounding):
            return {"rounding": rounding_document(rounding) if rounding else None}
        case PromotionTerms():
            return _reduction_document(terms)
        case CouponTerms():
            return _reduction_document(terms) | {
                "minimum_spend": terms.minimum_spend,
                "discount_max": terms.discount_max,
                "returns_on_refund": terms.returns_on_refund,
                "uses_max": terms.uses_max,
                "uses_per_buyer_max": terms.uses_per_buyer_max,
                "code": terms.code,
            }
        case FloorTerms(skus, basis_points, amount):
            return {"skus": sorted(skus), "basis_points": basis_points, "amount": amount}
        case _:
            assert_never(terms)


def _reduction_document(terms: PromotionTerms | CouponTerms) -> dict[str, Any]:
    return {
        "effect": [terms.effect.kind.value, terms.effect.value],
        "skus": sorted(terms.skus),
        "is_exclusive": terms.is_exclusive,
        "budget": terms.budget,
    }


def terms_of(kind: RuleKind, document: Mapping[str, Any]) -> Terms:
    match kind:
        case RuleKind.PRICE_LIST:
            return ListTerms(rounding_of(document["rounding"]))
        case RuleKind.PROMOTION:
            return PromotionTerms(**_reduction(document))
        case RuleKind.COUPON:
            return CouponTerms(**_reduction(document))
        case RuleKind.MARGIN_FLOOR:
            return FloorTerms(
                frozenset(document["skus"]), document["basis_points"], document["amount"]
            )
        case _:
            assert_never(kind)


def _reduction(document: Mapping[str, Any]) -> dict[str, Any]:
    kind, value = document["effect"]
    return {
        **document,
        "effect": Effect(EffectKind(kind), value),
        "skus": frozenset(document["skus"]),
    }


class RuleNotFound(NotFound):
    """There is no such price list, promotion, coupon or floor, or it is not yours."""

    code = "price_rule_not_found"


class BadTiers(Invalid):
    """The tiers contradict each other."""

    code = "bad_tiers"


class TiersRise(Invalid):
    """A unit gets dearer as the quantity grows; say `allow_rising` if that is meant."""

    code = "tiers_rise"


class BadWindow(Invalid):
    """`valid_to` must be after `valid_from`."""

    code = "bad_window"


class TooManyRules(Conflict):
    """So many rules of one kind may be active at a time; end some first."""

    code = "too_many_rules"


class TooManyEntries(Conflict):
    """A price list may have so many entries; make another list."""

    code = "too_many_entries"
