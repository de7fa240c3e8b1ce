from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from kit.http import Model
from ledger.settlements.domain import LineKind, SettlementLine, Totals
from ledger.settlements.schemas import SettlementRead
from ledger.spreadsheet import csv_rows
from ledger.statements.domain import Statement

CSV_COLUMNS = (
    "position",
    "at",
    "kind",
    "description",
    "order_id",
    "sku",
    "gross",
    "channel_fee",
    "platform_fee",
    "amount",
    "balance",
    "currency",
    "transaction_id",
    "posting",
    "channel_id",
    "channel_name",
)


class TotalsRead(Model):
    kind: LineKind
    lines: int
    amount: int

    @classmethod
    def from_domain(cls, totals: Totals) -> Self:
        return cls(kind=totals.kind, lines=totals.lines, amount=totals.amount_minor)


class StatementLineRead(Model):
    """A posting on the available balance. Sales say what their price was parted into."""

    position: int
    at: datetime
    kind: LineKind
    description: str
    order_id: UUID | None
    channel_id: UUID | None
    channel_name: str | None = Field(description="as its last order told it")
    sku: str | None
    gross: int | None
    channel_fee: int | None
    platform_fee: int | None
    amount: int
    balance: int = Field(description="of the account after this line")
    transaction_id: UUID
    posting: int = Field(description="number of the posting in its transaction")

    @classmethod
    def from_domain(cls, line: SettlementLine) -> Self:
        return cls(
            position=line.position,
            at=line.at,
            kind=line.kind,
            description=line.description,
            order_id=line.order_id,
            channel_id=line.channel_id,
            channel_name=line.channel_name,
            sku=line.sku,
            gross=line.gross_minor,
            channel_fee=line.channel_fee_minor,
            platform_fee=line.platform_minor,
            amount=line.amount_minor,
            balance=line.balance_minor,
            transaction_id=line.transaction_id,
            posting=line.line_no,
        )


class StatementRead(Model):
    """opening + totals = closing. Amounts are minor units of the settlement's currency."""

    settlement: SettlementRead
    payee: str
    totals: list[TotalsRead]
    pending: int = Field(description="not available yet, as it is now")
    reserved: int = Field(description="held back, as it is now")
    lines: list[StatementLineRead]
    next_cursor: str | None = Field(default=None, description="of the lines; null at the end")

    @classmethod
    def from_domain(
        cls, statement: Statement, lines: Sequence[StatementLineRead], next_cursor: str | None
    ) -> Self:
        return cls(
            settlement=SettlementRead.from_domain(statement.settlement),
            payee=statement.payee_name,
            totals=[TotalsRead.from_domain(it) for it in statement.totals],
            pending=statement.pending_minor,
            reserved=statement.reserved_minor,
            lines=list(lines),
            next_cursor=next_cursor,
        )


def csv_head(statement: Statement) -> str:
    """The columns, and the opening balance as the first row."""
    settlement = statement.settlement
    opening = [""] * len(CSV_COLUMNS)
    opening[0], opening[2] = "0", "opening"
    if settlement.period_start:
        opening[1] = _moment(settlement.period_start)
    opening[10], opening[11] = str(settlement.opening_minor), settlement.currency
    return csv_rows([CSV_COLUMNS, opening])


def csv_of(lines: Sequence[SettlementLine], currency: str) -> str:
    return csv_rows(_row(line, currency) for line in lines)


def _row(line: SettlementLine, currency: str) -> tuple[object, ...]:
    return (
        line.position,
        _moment(line.at),
        line.kind.value,
        line.description,
        line.order_id or "",
        line.sku or "",
        _shown(line.gross_minor),
        _shown(line.channel_fee_minor),
        _shown(line.platform_minor),
        line.amount_minor,
        line.balance_minor,
        currency,
        line.transaction_id,
        line.line_no,
        line.channel_id or "",
        line.channel_name or "",
    )


def _shown(amount: int | None) -> str:
    return "" if amount is None else str(amount)


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
