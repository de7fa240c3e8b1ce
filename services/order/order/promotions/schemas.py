from dataclasses import replace
from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from kit.http import MoneyModel
from kit.ids import new_id
from order.price_rules.domain import PromotionTerms, Rule, RuleKind
from order.price_rules.schemas import (
    EffectModel,
    RuleCreate,
    RuleEdit,
    RuleRead,
    Skus,
    common_of,
    edited,
    edited_currency,
    effect_currency,
    from_effect,
    money_of,
    new_rule,
    one_currency,
    to_effect,
)

_EXAMPLE: JsonDict = {
    "name": "Weekend: 10 % off",
    "effect": {"kind": "percent_off", "basis_points": 1000},
    "skus": ["GAME-100"],
    "valid_from": "2026-11-28T00:00:00Z",
    "valid_to": "2026-11-30T00:00:00Z",
    "budget": {"amount": 5_000_000, "currency": "CNY"},
}


class PromotionCreate(RuleCreate):
    """A lower price for a time. Exclusive: counts alone; otherwise all that can be combined count
    one after another.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    effect: EffectModel
    skus: Skus = Field(default_factory=list, description="none named: all products")
    exclusive: bool = True
    budget: MoneyModel | None = Field(default=None, description="given away in all, at most")

    def to_domain(self, merchant_id: UUID) -> Rule:
        """Raises CurrencyMismatch."""
        budget = self.budget
        terms = PromotionTerms(
            effect=to_effect(self.effect),
            skus=frozenset(self.skus),
            is_exclusive=self.exclusive,
            budget=budget.amount if budget else None,
        )
        currency = one_currency(effect_currency(self.effect), budget.currency if budget else None)
        return new_rule(self, new_id(), merchant_id, RuleKind.PROMOTION, terms, currency)


class PromotionEdit(RuleEdit):
    """What is absent stays as it is; a `budget` of null takes it away. Orders placed before keep
    their prices, and what they were given still counts against the budget.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"active": False},
                {"effect": {"kind": "percent_off", "basis_points": 500}, "budget": None},
            ]
        }
    )

    effect: EffectModel | None = None
    skus: Skus | None = None
    exclusive: bool | None = None
    budget: MoneyModel | None = None

    def applied(self, rule: Rule) -> Rule:
        """The rule's next version. Raises CurrencyMismatch."""
        rule, terms = edited(self, rule), rule.terms
        assert isinstance(terms, PromotionTerms)
        given: dict[str, Any] = {}
        if self.effect is not None:
            given["effect"] = to_effect(self.effect)
        if self.skus is not None:
            given["skus"] = frozenset(self.skus)
        if self.exclusive is not None:
            given["is_exclusive"] = self.exclusive
        if "budget" in self.model_fields_set:
            given["budget"] = self.budget.amount if self.budget else None
        currency = edited_currency(
            rule.currency, effect_currency(self.effect) if self.effect else None, self.budget
        )
        return replace(rule, currency=currency, terms=replace(terms, **given))


class PromotionRead(RuleRead):
    effect: EffectModel
    skus: list[str]
    exclusive: bool
    budget: MoneyModel | None

    @classmethod
    def from_domain(cls, rule: Rule) -> Self:
        terms = rule.terms
        assert isinstance(terms, PromotionTerms)
        return cls(
            **common_of(rule),
            effect=from_effect(terms.effect, rule.currency),
            skus=sorted(terms.skus),
            exclusive=terms.is_exclusive,
            budget=money_of(terms.budget, rule.currency),
        )
