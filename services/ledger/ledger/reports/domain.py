"""Reports: sums over postings, in minor units, never across currencies."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from ledger.accounts.domain import AccountKind


class MarginGroup(StrEnum):
    CHANNEL = "channel"
    PRODUCT = "product"
    SKU = "sku"


@dataclass(frozen=True, slots=True)
class TrialBalanceLine:
    account_id: UUID
    code: str
    kind: AccountKind
    currency: str
    debit_minor: int
    credit_minor: int


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """All accounts of a currency together."""

    currency: str
    debit_minor: int
    credit_minor: int

    @property
    def is_balanced(self) -> bool:
        return self.debit_minor == self.credit_minor


@dataclass(frozen=True, slots=True)
class TrialBalance:
    lines: Sequence[TrialBalanceLine]
    totals: Sequence[CurrencyTotal]

    @property
    def is_balanced(self) -> bool:
        return all(total.is_balanced for total in self.totals)


@dataclass(frozen=True, slots=True)
class MarginLine:
    """`group` is the channel's or product's id, or the SKU; None for postings without one."""

    group: str | None
    currency: str
    revenue_minor: int
    cost_minor: int

    @property
    def margin_minor(self) -> int:
        return self.revenue_minor - self.cost_minor


@dataclass(frozen=True, slots=True)
class LotValue:
    """What a lot brought onto the shelf, what left it, what is there; at cost."""

    lot_id: UUID
    currency: str
    received_minor: int
    sold_minor: int

    @property
    def value_minor(self) -> int:
        return self.received_minor - self.sold_minor
