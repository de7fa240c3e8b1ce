from typing import Self
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
    """What is absent stays as it is; for another effect or budget end this promotion and make a
    new one.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"active": False}]})


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
