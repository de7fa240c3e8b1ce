from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from kit.http import CodeText, CurrencyCode, Model, MoneyModel
from kit.ids import new_id
from order.price_rules.domain import (
    ENTRIES_PER_CALL_MAX,
    BadTiers,
    Ladder,
    ListTerms,
    Rounding,
    Rule,
    RuleKind,
)
from order.price_rules.schemas import (
    BasisPoints,
    RoundingModel,
    RuleCreate,
    RuleEdit,
    RuleRead,
    TierModel,
    Tiers,
    common_of,
    edited,
    money_of,
    new_rule,
    one_currency,
)

_ENTRIES: list[JsonDict] = [
    {
        "sku": "GAME-100",
        "price": {"amount": 1890, "currency": "CNY"},
        "tiers": [{"min_quantity": 100, "price": {"amount": 1790, "currency": "CNY"}}],
    },
    {"sku": "GAME-200", "basis_points_off": 500},
]
_EXAMPLE: JsonDict = {
    "name": "Resellers",
    "currency": "CNY",
    "groups": ["reseller"],
    "entries": [*_ENTRIES],
}


class EntryModel(Model):
    """A price for one product, or so much off the product's own price for that quantity. Tiers
    count instead of the product's.
    """

    sku: CodeText
    price: MoneyModel | None = None
    basis_points_off: BasisPoints = 0
    tiers: Tiers = Field(default_factory=list)
    allow_rising: bool = Field(
        default=False, description="a unit may get dearer as the quantity grows"
    )

    def to_domain(self, currency: str) -> Ladder:
        """Raises CurrencyMismatch, BadTiers."""
        one_currency(currency, *_currencies_of(self.price, self.tiers))
        if self.price is not None and self.basis_points_off:
            raise BadTiers("an entry says a price or a share off, not both", sku=self.sku)
        return Ladder(
            self.price.amount if self.price else None,
            self.basis_points_off,
            tuple(tier.to_domain() for tier in self.tiers),
            self.allow_rising,
        )

    @classmethod
    def from_domain(cls, sku: str, ladder: Ladder, currency: str) -> Self:
        return cls(
            sku=sku,
            price=money_of(ladder.price, currency),
            basis_points_off=ladder.basis_points_off,
            tiers=[TierModel.from_domain(tier, currency) for tier in ladder.tiers],
            allow_rising=ladder.allow_rising,
        )


def _currencies_of(price: MoneyModel | None, tiers: Sequence[TierModel]) -> list[str]:
    return [money.currency for money in (price, *(tier.price for tier in tiers)) if money]


Entries = Annotated[list[EntryModel], Field(max_length=ENTRIES_PER_CALL_MAX)]


def ladders_of(entries: Sequence[EntryModel], currency: str) -> Mapping[str, Ladder]:
    """By SKU; of two entries for one SKU the last counts. Raises CurrencyMismatch, BadTiers."""
    return {entry.sku: entry.to_domain(currency) for entry in entries}


class PriceListCreate(RuleCreate):
    """Prices of its own for channels or customer groups."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    currency: CurrencyCode
    entries: Entries = Field(default_factory=list)
    rounding: RoundingModel | None = Field(default=None, description="of what its entries say")

    def to_domain(self, merchant_id: UUID) -> Rule:
        terms = ListTerms(self.rounding.to_domain() if self.rounding else None)
        return new_rule(self, new_id(), merchant_id, RuleKind.PRICE_LIST, terms, self.currency)


class PriceListEdit(RuleEdit):
    """What is absent stays as it is. `entries` are added or replace those of the same SKU."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"entries": [*_ENTRIES], "removed_skus": ["GAME-300"]}]}
    )

    entries: Entries = Field(default_factory=list)
    removed_skus: Annotated[list[CodeText], Field(max_length=ENTRIES_PER_CALL_MAX)] = Field(
        default_factory=list
    )
    rounding: RoundingModel | None = Field(default=None, description="null for none")

    def applied(self, rule: Rule) -> Rule:
        rule = edited(self, rule)
        if "rounding" not in self.model_fields_set:
            return rule
        rounding: Rounding | None = self.rounding.to_domain() if self.rounding else None
        return replace(rule, terms=ListTerms(rounding))


class PriceListRead(RuleRead):
    """Its entries are read from `/entries`."""

    currency: str
    rounding: RoundingModel | None

    @classmethod
    def from_domain(cls, rule: Rule) -> Self:
        terms = rule.terms
        assert isinstance(terms, ListTerms)
        rounding = RoundingModel.from_domain(terms.rounding) if terms.rounding else None
        return cls(**common_of(rule), currency=currency_of(rule), rounding=rounding)


def currency_of(rule: Rule) -> str:
    assert rule.currency is not None, "a price list has a currency"
    return rule.currency


class PriceRoundingPut(Model):
    """How every price that a rule made is rounded; null for not at all."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"rounding": {"step": 100, "mode": "down", "ending": 99}}]}
    )

    rounding: RoundingModel | None


class PriceRoundingRead(Model):
    rounding: RoundingModel | None

    @classmethod
    def from_domain(cls, rounding: Rounding | None) -> Self:
        return cls(rounding=RoundingModel.from_domain(rounding) if rounding else None)
