from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from kit.http import Model, MoneyModel
from kit.ids import new_id
from order.coupons.domain import QUANTITY_MAX, Batch, Limit
from order.price_rules.domain import CouponTerms, Rule, RuleKind
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

USES_MAX = 1_000_000_000

SharedCode = Annotated[
    str, StringConstraints(min_length=3, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9\-]*$")
]
Prefix = Annotated[str, StringConstraints(max_length=10, pattern=r"^[A-Z0-9]*$")]
Uses = Annotated[int, Field(ge=1, le=USES_MAX, strict=True)]

_EXAMPLE: JsonDict = {
    "name": "Spring: 10 yuan off from 50",
    "effect": {"kind": "amount_off", "amount": {"amount": 1000, "currency": "CNY"}},
    "code": "SPRING10",
    "minimum_spend": {"amount": 5000, "currency": "CNY"},
    "uses_max": 500,
    "uses_per_buyer_max": 1,
}


class CouponCreate(RuleCreate):
    """Takes something off an order whose buyer shows a code: the shared `code`, or one of the
    single-use codes made with `/codes`. The discount is shared over the lines it is for, so that
    each line can be refunded exactly.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    effect: EffectModel
    skus: Skus = Field(default_factory=list, description="none named: all products")
    code: SharedCode | None = Field(default=None, description="shared by all buyers")
    minimum_spend: MoneyModel | None = Field(
        default=None, description="for the products it is for, before coupons"
    )
    discount_max: MoneyModel | None = Field(default=None, description="of one order")
    exclusive: bool = Field(default=True, description="the only coupon of its order")
    returns_on_refund: bool = Field(
        default=False, description="whether a whole refund gives the use back to the buyer"
    )
    uses_max: Uses | None = None
    uses_per_buyer_max: Uses | None = Field(
        default=None, description="by the shop's id of the buyer and by contact"
    )
    budget: MoneyModel | None = Field(default=None, description="given away in all, at most")

    def to_domain(self, merchant_id: UUID) -> Rule:
        """Raises CurrencyMismatch."""
        moneys = (self.minimum_spend, self.discount_max, self.budget)
        currency = one_currency(
            effect_currency(self.effect), *(money.currency for money in moneys if money)
        )
        terms = CouponTerms(
            effect=to_effect(self.effect),
            skus=frozenset(self.skus),
            minimum_spend=self.minimum_spend.amount if self.minimum_spend else 0,
            discount_max=self.discount_max.amount if self.discount_max else None,
            is_exclusive=self.exclusive,
            returns_on_refund=self.returns_on_refund,
            uses_max=self.uses_max,
            uses_per_buyer_max=self.uses_per_buyer_max,
            budget=self.budget.amount if self.budget else None,
            code=self.code,
        )
        return new_rule(self, new_id(), merchant_id, RuleKind.COUPON, terms, currency)


class CouponEdit(RuleEdit):
    """What is absent stays as it is; null takes a limit, a minimum or a maximum away. Orders placed
    before keep their prices, and what they used still counts. The code stays.
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
    minimum_spend: MoneyModel | None = None
    discount_max: MoneyModel | None = None
    exclusive: bool | None = None
    returns_on_refund: bool | None = Field(default=None, description="of orders placed from now on")
    budget: MoneyModel | None = None
    uses_max: Uses | None = Field(default=None, description="null for no limit")
    uses_per_buyer_max: Uses | None = Field(default=None, description="null for no limit")

    def applied(self, rule: Rule) -> Rule:
        rule, terms = edited(self, rule), rule.terms
        assert isinstance(terms, CouponTerms)
        moneys = (self.minimum_spend, self.discount_max, self.budget)
        currency = edited_currency(
            rule.currency, effect_currency(self.effect) if self.effect else None, *moneys
        )
        return replace(rule, currency=currency, terms=replace(terms, **self._given_terms()))

    def _given_terms(self) -> dict[str, Any]:
        """Fields of CouponTerms -> new values."""
        given: dict[str, Any] = {
            "effect": to_effect(self.effect) if self.effect else None,
            "skus": frozenset(self.skus) if self.skus is not None else None,
            "is_exclusive": self.exclusive,
            "returns_on_refund": self.returns_on_refund,
        }
        given = {name: value for name, value in given.items() if value is not None}
        sent = self.model_fields_set
        given |= {
            name: getattr(self, name) for name in ("uses_max", "uses_per_buyer_max") if name in sent
        }
        if "minimum_spend" in sent:
            given["minimum_spend"] = self.minimum_spend.amount if self.minimum_spend else 0
        for name in ("discount_max", "budget"):
            if name in sent:
                money = getattr(self, name)
                given[name] = money.amount if money else None
        return given


class CouponRead(RuleRead):
    """`uses` and `given` count orders that are alive or were paid: what ends unpaid comes back."""

    effect: EffectModel
    skus: list[str]
    code: str | None
    minimum_spend: MoneyModel | None
    discount_max: MoneyModel | None
    exclusive: bool
    returns_on_refund: bool
    uses_max: int | None
    uses_per_buyer_max: int | None
    budget: MoneyModel | None
    uses: int
    given: Annotated[int, Field(description="minor units")]

    @classmethod
    def from_domain(cls, rule: Rule, limit: Limit | None) -> Self:
        terms = rule.terms
        assert isinstance(terms, CouponTerms)
        return cls(
            **common_of(rule),
            effect=from_effect(terms.effect, rule.currency),
            skus=sorted(terms.skus),
            code=terms.code,
            minimum_spend=money_of(terms.minimum_spend or None, rule.currency),
            discount_max=money_of(terms.discount_max, rule.currency),
            exclusive=terms.is_exclusive,
            returns_on_refund=terms.returns_on_refund,
            uses_max=terms.uses_max,
            uses_per_buyer_max=terms.uses_per_buyer_max,
            budget=money_of(terms.budget, rule.currency),
            uses=limit.uses if limit else 0,
            given=limit.spent if limit else 0,
        )


class CodesCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"quantity": 100, "prefix": "SPRING"}]}
    )

    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX, strict=True)]
    prefix: Prefix = ""


class BatchRead(Model):
    """Single-use codes that were made together; the codes are read from `/codes`."""

    id: UUID
    coupon_id: UUID
    quantity: int
    prefix: str
    created_at: datetime

    @classmethod
    def from_domain(cls, batch: Batch) -> Self:
        return cls(
            id=batch.id,
            coupon_id=batch.rule_id,
            quantity=batch.quantity,
            prefix=batch.prefix,
            created_at=batch.created_at,
        )


class CodeRead(Model):
    number: int
    code: str
