"""What all price rules have on the wire."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, assert_never
from uuid import UUID

from pydantic import Field

from kit.http import CodeText, Model, MoneyModel, Name, Timestamp
from kit.money import CurrencyMismatch, Money
from order.price_rules.domain import (
    TIERS_MAX,
    WHOLE,
    Effect,
    EffectKind,
    Rounding,
    RoundingMode,
    Rule,
    RuleKind,
    Scope,
    Terms,
    Tier,
)

CHANNELS_MAX = 50
GROUPS_MAX = 50
SKUS_MAX = 500
NOT_YET = datetime.min.replace(tzinfo=UTC)

BasisPoints = Annotated[int, Field(ge=0, le=WHOLE, strict=True)]
Priority = Annotated[int, Field(ge=-1_000, le=1_000, strict=True)]
Skus = Annotated[list[CodeText], Field(max_length=SKUS_MAX)]


class PercentOffModel(Model):
    kind: Literal["percent_off"]
    basis_points: BasisPoints = Field(description="1/100 of a per cent: 1000 is 10 %")


class AmountOffModel(Model):
    """Off each unit (promotion) or off the order (coupon)."""

    kind: Literal["amount_off"]
    amount: MoneyModel


class FixedPriceModel(Model):
    """Of each unit; never dearer than it was."""

    kind: Literal["fixed_price"]
    price: MoneyModel


EffectModel = Annotated[
    PercentOffModel | AmountOffModel | FixedPriceModel, Field(discriminator="kind")
]


def to_effect(model: PercentOffModel | AmountOffModel | FixedPriceModel) -> Effect:
    match model:
        case PercentOffModel():
            return Effect(EffectKind.PERCENT_OFF, model.basis_points)
        case AmountOffModel():
            return Effect(EffectKind.AMOUNT_OFF, model.amount.amount)
        case FixedPriceModel():
            return Effect(EffectKind.FIXED_PRICE, model.price.amount)
        case _:
            assert_never(model)


def effect_currency(model: PercentOffModel | AmountOffModel | FixedPriceModel) -> str | None:
    match model:
        case PercentOffModel():
            return None
        case AmountOffModel():
            return model.amount.currency
        case FixedPriceModel():
            return model.price.currency
        case _:
            assert_never(model)


def from_effect(
    effect: Effect, currency: str | None
) -> PercentOffModel | AmountOffModel | FixedPriceModel:
    if effect.kind is EffectKind.PERCENT_OFF:
        return PercentOffModel(kind="percent_off", basis_points=effect.value)
    assert currency is not None, "a rule with an amount has a currency"
    money = MoneyModel.from_domain(Money(effect.value, currency))
    if effect.kind is EffectKind.AMOUNT_OFF:
        return AmountOffModel(kind="amount_off", amount=money)
    return FixedPriceModel(kind="fixed_price", price=money)


def one_currency(*currencies: str | None) -> str | None:
    """The currency of a rule's amounts. Raises CurrencyMismatch when they have several."""
    named = sorted({currency for currency in currencies if currency is not None})
    if len(named) > 1:
        raise CurrencyMismatch(f"one rule, several currencies: {', '.join(named)}")
    return named[0] if named else None


class RoundingModel(Model):
    """To multiples of `step` plus `ending`, in minor units: 100 and 99 make prices like 19.99."""

    step: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    mode: RoundingMode = RoundingMode.HALF_EVEN
    ending: Annotated[int, Field(ge=0, le=999_999, strict=True)] = 0

    def to_domain(self) -> Rounding:
        return Rounding(self.step, self.mode, self.ending % self.step)

    @classmethod
    def from_domain(cls, rounding: Rounding) -> Self:
        return cls(step=rounding.step, mode=rounding.mode, ending=rounding.ending)


class TierModel(Model):
    """From `min_quantity` on: a unit price, or so much off the price before the tiers."""

    min_quantity: Annotated[int, Field(ge=2, le=1_000_000, strict=True)]
    price: MoneyModel | None = None
    basis_points_off: BasisPoints = 0

    def to_domain(self) -> Tier:
        price = self.price.amount if self.price else None
        return Tier(self.min_quantity, price, self.basis_points_off)

    @classmethod
    def from_domain(cls, tier: Tier, currency: str | None) -> Self:
        price = money_of(tier.price, currency)
        return cls(
            min_quantity=tier.min_quantity, price=price, basis_points_off=tier.basis_points_off
        )


Tiers = Annotated[list[TierModel], Field(max_length=TIERS_MAX)]


class RuleCreate(Model):
    """What is empty does not restrict: no channels means all of them."""

    name: Name
    priority: Priority = Field(default=0, description="the highest counts first")
    channel_ids: Annotated[list[UUID], Field(max_length=CHANNELS_MAX)] = Field(default_factory=list)
    groups: Annotated[list[CodeText], Field(max_length=GROUPS_MAX)] = Field(
        default_factory=list, description="customer groups, as the caller of a quote names them"
    )
    valid_from: Timestamp | None = None
    valid_to: Timestamp | None = Field(default=None, description="the rule ends just before")
    active: bool = True

    @property
    def scope(self) -> Scope:
        return Scope(
            frozenset(self.channel_ids), frozenset(self.groups), self.valid_from, self.valid_to
        )


class RuleEdit(Model):
    """What is absent stays as it is; `valid_from` and `valid_to` may be set to null."""

    name: Name | None = None
    priority: Priority | None = None
    channel_ids: Annotated[list[UUID], Field(max_length=CHANNELS_MAX)] | None = None
    groups: Annotated[list[CodeText], Field(max_length=GROUPS_MAX)] | None = None
    valid_from: Timestamp | None = None
    valid_to: Timestamp | None = None
    active: bool | None = None

    def given(self) -> dict[str, Any]:
        """The fields that are not absent, by the name they have in the domain."""
        values: dict[str, Any] = {}
        for name, to in (("name", "name"), ("priority", "priority"), ("active", "is_active")):
            if getattr(self, name) is not None:
                values[to] = getattr(self, name)
        return values

    def scope_of(self, known: Scope) -> Scope:
        sent = self.model_fields_set
        return Scope(
            known.channels if self.channel_ids is None else frozenset(self.channel_ids),
            known.groups if self.groups is None else frozenset(self.groups),
            self.valid_from if "valid_from" in sent else known.valid_from,
            self.valid_to if "valid_to" in sent else known.valid_to,
        )


class RuleRead(Model):
    id: UUID
    name: str
    version: int
    priority: int
    channel_ids: list[UUID]
    groups: list[str]
    valid_from: datetime | None
    valid_to: datetime | None
    active: bool
    created_at: datetime
    updated_at: datetime


def common_of(rule: Rule) -> dict[str, Any]:
    """The values of RuleRead's own fields."""
    return {
        "id": rule.id,
        "name": rule.name,
        "version": rule.version,
        "priority": rule.priority,
        "channel_ids": sorted(rule.scope.channels),
        "groups": sorted(rule.scope.groups),
        "valid_from": rule.scope.valid_from,
        "valid_to": rule.scope.valid_to,
        "active": rule.is_active,
        "created_at": rule.created_at,
        "updated_at": rule.updated_at,
    }


def money_of(amount: int | None, currency: str | None) -> MoneyModel | None:
    if amount is None or currency is None:
        return None
    return MoneyModel.from_domain(Money(amount, currency))


def new_rule(
    body: RuleCreate,
    rule_id: UUID,
    merchant_id: UUID,
    kind: RuleKind,
    terms: Terms,
    currency: str | None,
) -> Rule:
    """The times are those of the database once it is written."""
    return Rule(
        id=rule_id,
        merchant_id=merchant_id,
        kind=kind,
        name=body.name,
        version=1,
        priority=body.priority,
        scope=body.scope,
        currency=currency,
        is_active=body.active,
        terms=terms,
        created_at=NOT_YET,
        updated_at=NOT_YET,
    )


def edited_currency(
    known: str | None, effect: str | None, *moneys: MoneyModel | None
) -> str | None:
    """A rule keeps its currency: what it gave was in it. Raises CurrencyMismatch."""
    return one_currency(known, effect, *(money.currency for money in moneys if money))


def edited(body: RuleEdit, rule: Rule) -> Rule:
    return replace(rule, scope=body.scope_of(rule.scope), **body.given())
