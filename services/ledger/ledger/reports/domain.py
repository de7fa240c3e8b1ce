"""Reports: sums over postings, in minor units, never across currencies."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ledger.accounts.domain import AccountKind, BalanceAt


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


def trial_balance_of(balances: Sequence[BalanceAt], lines_max: int) -> TrialBalance:
    """Totals of all; when there are too many lines to show, the first ones."""
    totals: dict[str, list[int]] = {}
    for balance in balances:
        total = totals.setdefault(balance.currency, [0, 0])
        total[0] += balance.debit_minor
        total[1] += balance.credit_minor
    lines = [
        TrialBalanceLine(
            it.account_id, it.code, it.kind, it.currency, it.debit_minor, it.credit_minor
        )
        for it in balances[:lines_max]
    ]
    return TrialBalance(lines, [CurrencyTotal(it, *total) for it, total in totals.items()])


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
