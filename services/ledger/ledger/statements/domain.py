"""What a merchant is told of a settlement: every line is a posting of its own account."""

from collections.abc import Sequence
from dataclasses import dataclass

from kit.errors import NotFound
from ledger.settlements.domain import LineKind, Settlement, Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """opening + all totals = closing, and so do opening and all lines. `pending_minor` and
    `reserved_minor` are as they are now.
    """

    settlement: Settlement
    payee_name: str
    totals: Sequence[Totals]
    pending_minor: int
    reserved_minor: int


KIND_WORDS = {
    LineKind.SALE: ("Sales", "销售"),
    LineKind.REFUND: ("Refunds", "退款"),
    LineKind.RESERVE: ("Reserve released", "保证金释放"),
    LineKind.PAYOUT: ("Payouts", "打款"),
    LineKind.OTHER: ("Other", "其他"),
}
"""English and Chinese."""


class StatementNotReady(NotFound):
    """The settlement is still open; its statement can be read in a few seconds."""

    code = "statement_not_ready"
