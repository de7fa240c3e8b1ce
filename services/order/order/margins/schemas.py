from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from kit.http import MoneyModel
from kit.ids import new_id
from order.price_rules.domain import FloorTerms, Rule, RuleKind
from order.price_rules.schemas import (
    BasisPoints,
    RuleCreate,
    RuleEdit,
    RuleRead,
    Skus,
    common_of,
    money_of,
    new_rule,
)

_EXAMPLE: JsonDict = {"name": "At least 3 % above cost", "basis_points": 300}


class MarginFloorCreate(RuleCreate):
    """The least that a unit must bring above its cost, after the channel's fee."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    skus: Skus = Field(default_factory=list, description="none named: all products")
    basis_points: BasisPoints = Field(default=0, description="above cost; the higher one counts")
    amount: MoneyModel | None = Field(default=None, description="above cost, per unit")

    def to_domain(self, merchant_id: UUID) -> Rule:
        amount = self.amount
        terms = FloorTerms(frozenset(self.skus), self.basis_points, amount.amount if amount else 0)
        currency = amount.currency if amount else None
        return new_rule(self, new_id(), merchant_id, RuleKind.MARGIN_FLOOR, terms, currency)


class MarginFloorEdit(RuleEdit):
    """What is absent stays as it is; for another margin end this floor and make a new one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"active": False}]})


class MarginFloorRead(RuleRead):
    skus: list[str]
    basis_points: int
    amount: MoneyModel | None

    @classmethod
    def from_domain(cls, rule: Rule) -> Self:
        terms = rule.terms
        assert isinstance(terms, FloorTerms)
        return cls(
            **common_of(rule),
            skus=sorted(terms.skus),
            basis_points=terms.basis_points,
            amount=money_of(terms.amount, rule.currency),
        )
