"""A period of a merchant's available balance, closed for good.

Every posting on the account belongs to one settlement; what is told late belongs to the next. So
the opening balance and the lines are the closing balance, and the closing balance of the last one
and what came since is the account's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Invalid, NotFound


class SettlementState(StrEnum):
    """Open: its lines are being collected."""

    OPEN = "open"
    CLOSED = "closed"
    PAID = "paid"


class LineKind(StrEnum):
    SALE = "sale"
    REFUND = "refund"
    RESERVE = "reserve"
    PAYOUT = "payout"
    OTHER = "other"


_KINDS: Mapping[str, LineKind] = {
    "split-released": LineKind.SALE,
    "split-refunded": LineKind.REFUND,
    "reserve-released": LineKind.RESERVE,
    "payout-approved": LineKind.PAYOUT,
    "payout-failed": LineKind.PAYOUT,
    "payout-returned": LineKind.PAYOUT,
}


def kind_of(source: str) -> LineKind:
    """What a transaction is to a merchant, by the name of its cause."""
    return _KINDS.get(source.partition(":")[0], LineKind.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """`period_start` is the end of the one before; None for the first."""

    id: UUID
    merchant_id: UUID
    currency: str
    period_start: datetime | None
    period_end: datetime
    state: SettlementState
    opening_minor: int
    closing_minor: int
    lines: int
    due_on: date
    payout_min_minor: int
    created_by: str
    created_at: datetime
    closed_at: datetime | None = None
    paid_at: datetime | None = None
    payout_id: UUID | None = None

    @property
    def payable_minor(self) -> int:
        """What of the closing balance is to be paid out; less than the minimum is carried over, and
        so is a debt.
        """
        return self.closing_minor if self.closing_minor >= max(self.payout_min_minor, 1) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a settlement would close with now."""

    merchant_id: UUID
    currency: str
    opening_minor: int
    closing_minor: int
    lines: int

    @property
    def key(self) -> tuple[UUID, str]:
        """Merchant and currency."""
        return self.merchant_id, self.currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What lines of a kind come to."""

    kind: LineKind
    lines: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementLine:
    """A posting on the available balance. `gross_minor`, `channel_fee_minor` and `platform_minor`
    say what the sale was parted into; None for what is no sale.
    """

    position: int
    at: datetime
    kind: LineKind
    description: str
    transaction_id: UUID
    line_no: int
    order_id: UUID | None
    channel_id: UUID | None
    channel_name: str | None
    sku: str | None
    gross_minor: int | None
    channel_fee_minor: int | None
    platform_minor: int | None
    amount_minor: int
    balance_minor: int


class SettlementNotFound(NotFound):
    """There is no such settlement, or it is not yours."""

    code = "settlement_not_found"


class PeriodNotOver(Invalid):
    """A period ends now or earlier; run it again when it is over."""

    code = "period_not_over"
