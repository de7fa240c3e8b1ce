from typing import Self
from uuid import UUID

from pydantic import Field

from kit.http import Model, MoneyModel
from risk.labels.domain import BAD, RuleWorth


class RuleWorthRead(Model):
    """How a rule did on the orders of that time, by what became of them until now."""

    rule_id: UUID
    name: str
    version: int = Field(description="the newest that fired in that time")
    fired: int = Field(description="orders it fired on, in shadow mode too")
    good: int = Field(description="completed, and nothing came back")
    bad: int = Field(description="refunded after delivery, claimed, charged back, or declined")
    undecided: int
    refunded: int
    claimed: int
    charged_back: int
    declined_by_reviewers: int
    precision_basis_points: int | None = Field(
        description="bad of all that are decided, in hundredths of a percent; null when none is"
    )
    bad_amounts: list[MoneyModel] = Field(description="what the bad orders came to")
    good_amounts: list[MoneyModel] = Field(description="what the good orders came to")

    @classmethod
    def from_domain(cls, worth: RuleWorth) -> Self:
        refunded, claimed, charged_back = (worth.labels.get(kind, 0) for kind in BAD)
        return cls(
            rule_id=worth.rule_id,
            name=worth.name,
            version=worth.version,
            fired=worth.fired,
            good=worth.good,
            bad=worth.bad,
            undecided=worth.undecided,
            refunded=refunded,
            claimed=claimed,
            charged_back=charged_back,
            declined_by_reviewers=worth.declined,
            precision_basis_points=worth.precision_basis_points,
            bad_amounts=_amounts(worth.bad_amounts),
            good_amounts=_amounts(worth.good_amounts),
        )


class RuleReportRead(Model):
    items: list[RuleWorthRead] = Field(description="those that fired most come first; at most 200")


def _amounts(amounts: dict[str, int]) -> list[MoneyModel]:
    return [
        # Sums: the bound is for one amount that a caller sends.
        MoneyModel.model_construct(amount=amount, currency=currency)
        for currency, amount in sorted(amounts.items())
        if amount
    ]
