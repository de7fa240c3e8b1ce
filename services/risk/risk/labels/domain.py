"""What became of orders: what rules are measured by, and what later decisions know of a buyer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from risk.counts import KeyKind
from risk.facts import FactKind, FactType
from risk.velocity.domain import key_digest


class LabelKind(StrEnum):
    COMPLETED = "completed"
    """Something of it was delivered and paid for."""
    UNDELIVERED = "undelivered"
    """Nothing was delivered, the money went back: says nothing about the buyer."""
    REFUND = "refund"
    """Money of what was delivered went back."""
    CLAIM = "claim"
    """A unit was claimed to be bad, and replaced or paid back."""
    CHARGEBACK = "chargeback"
    """The buyer's bank took the money back."""


BAD = (LabelKind.REFUND, LabelKind.CLAIM, LabelKind.CHARGEBACK)
"""An order with one of these was better not sold; a completed one with none was good."""
LABELS_MAX = 1_000
"""Labels of one buyer or contact that facts are made of; chargebacks before claims and refunds."""

LABEL_FACTS: Sequence[FactKind] = [
    FactKind(name, FactType.INT, meaning, most=LABELS_MAX)
    for name, meaning in (
        (
            "refunds_of_customer",
            "earlier orders of this buyer that were refunded after delivery; 0 when unknown",
        ),
        ("claims_of_customer", "earlier orders of this buyer with a claim"),
        ("chargebacks_of_customer", "the same with a chargeback"),
        (
            "refunds_of_contact",
            "earlier orders with this contact that were refunded after delivery; 0 when unknown",
        ),
        ("claims_of_contact", "earlier orders with this contact and a claim"),
        ("chargebacks_of_contact", "the same with a chargeback"),
    )
]


def fact_name(kind: LabelKind, of: str) -> str:
    """`claims_of_customer`."""
    return f"{kind}s_of_{of}"


@dataclass(frozen=True, slots=True)
class Label:
    """`source` tells two of one kind apart: the refund, the claim, the chargeback."""

    order_id: UUID
    merchant_id: UUID
    kind: LabelKind
    at: datetime
    source: str = ""
    amount_minor: int = 0
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Buyer:
    """What later purchases of the same buyer or contact are known by; None when it is unknown."""

    customer_key: UUID | None = None
    contact_key: UUID | None = None

    @classmethod
    def of(cls, merchant_id: UUID, customer_id: str, contact_hash: str) -> Self:
        """Of what a purchase says: its own keys it forgets before the last chargeback comes."""
        return cls(
            _key(merchant_id, KeyKind.CUSTOMER, customer_id),
            _key(merchant_id, KeyKind.CONTACT, contact_hash),
        )


def _key(merchant_id: UUID, kind: KeyKind, value: str) -> UUID | None:
    name = value.strip()
    return key_digest(merchant_id, kind, name) if name else None


@dataclass(slots=True)
class RuleWorth:
    """How a rule did: of the orders it fired on, those that became good, bad, or neither yet."""

    rule_id: UUID
    name: str
    version: int
    """The newest that fired in the time asked for."""
    fired: int = 0
    good: int = 0
    bad: int = 0
    declined: int = 0
    """Of the bad: those that a person declined."""
    labels: dict[str, int] = field(default_factory=dict)
    bad_amounts: dict[str, int] = field(default_factory=dict)
    """Currency -> what the bad ones came to."""
    good_amounts: dict[str, int] = field(default_factory=dict)

    @property
    def undecided(self) -> int:
        return self.fired - self.good - self.bad

    @property
    def precision_basis_points(self) -> int | None:
        """Of those that are decided, the share that is bad; None when none is."""
        decided = self.good + self.bad
        return round(10_000 * self.bad / decided) if decided else None


def merged(rows: Sequence[Mapping[str, object]]) -> list[RuleWorth]:
    """One entry per rule, of rows per rule and currency; those that fired most come first."""
    found: dict[UUID, RuleWorth] = {}
    for row in rows:
        rule_id, currency = UUID(str(row["rule_id"])), str(row["currency"])
        worth = found.setdefault(rule_id, RuleWorth(rule_id, "", 0))
        version = _number(row["version"])
        if version >= worth.version:
            worth.version, worth.name = version, str(row["name"])
        worth.fired += _number(row["fired"])
        worth.good += _number(row["good"])
        worth.bad += _number(row["bad"])
        worth.declined += _number(row["declined"])
        for kind in BAD:
            worth.labels[kind] = worth.labels.get(kind, 0) + _number(row[kind])
        for amounts, name in ((worth.bad_amounts, "bad_sum"), (worth.good_amounts, "good_sum")):
            amounts[currency] = amounts.get(currency, 0) + _number(row[name])
    return sorted(found.values(), key=lambda worth: (-worth.fired, worth.rule_id))


def _number(value: object) -> int:
    return int(str(value or 0))
