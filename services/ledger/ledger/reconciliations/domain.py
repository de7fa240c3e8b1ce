"""A statement of a channel or a payment provider, held against what the ledger was told of."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TextIO
from uuid import UUID

from kit.errors import Invalid, NotFound
from kit.money import digits_of
from kit.statement_files import minor_of, moment_of

CHUNK_LINES = 5_000
LINES_MAX = 1_000_000
HEAD_ROWS_MAX = 50
"""How far down the head may be: payment providers write a preface above it."""
CELL_CHARACTERS_MAX = 200
_BEFORE_AMOUNTS = "¥￥$€£+"
_PADDING = " \t`'\ufeff"
"""What statements put around numbers so that spreadsheets leave them alone."""


class State(StrEnum):
    READING = "reading"
    COMPLETED = "completed"
    FAILED = "failed"


class MatchBy(StrEnum):
    """What a line's reference is: the payment's at its provider, or the order's in its channel."""

    PAYMENT = "payment"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Source:
    """Whose statement it is: of one channel, or of one payment provider for all channels."""

    channel_id: UUID | None
    provider: str

    @property
    def name(self) -> str:
        return f"channel:{self.channel_id}" if self.channel_id else f"provider:{self.provider}"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read. Columns by the names in its head; `decimals` of its amounts.

    `by_currency`: nobody said how many, so amounts of other currencies have those of theirs. No
    part of the mark: it says nothing that the decimals of the statement's own currency do not.
    """

    reference: str
    amount: str
    time: str
    currency_column: str
    currency: str
    decimals: int
    separator: str
    match_by: MatchBy
    by_currency: bool = field(default=False, repr=False)

    def decimals_of(self, currency: str) -> int:
        return digits_of(currency) if self.by_currency else self.decimals

    def mark(self) -> bytes:
        """Tells readings apart; goes into the statement's digest."""
        return repr(self).encode()


@dataclass(frozen=True, slots=True)
class Line:
    """`refused` says why it cannot be read."""

    line: int
    reference: str
    amount_minor: int
    currency: str
    happened_at: datetime | None
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    id: UUID
    merchant_id: UUID
    source: Source
    match_by: MatchBy
    file_name: str
    digest: bytes = field(repr=False)
    period_from: datetime | None = None
    period_to: datetime | None = None
    state: State = State.READING
    reason: str = ""
    lines: int = 0
    refused: int = 0
    results: Mapping[str, int] = field(default_factory=dict)
    created_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What an event says arrived."""

    event_id: UUID
    merchant_id: UUID
    channel_id: UUID
    order_id: UUID
    provider: str
    reference: str
    amount_minor: int
    currency: str
    happened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyOut:
    """What an event says left: `refund`, or the channel's `fee` of an order."""

    event_id: UUID
    kind: str
    merchant_id: UUID
    order_id: UUID
    amount_minor: int
    currency: str
    happened_at: datetime


def read_lines(text: TextIO, reading: Reading) -> Iterator[list[Line]]:
    """Chunk by chunk. Raises StatementUnreadable, ColumnsMissing, StatementTooLong."""
    rows = _rows(text, reading)
    places = _find_head(rows, reading)
    chunk: list[Line] = []
    for number, row in rows:
        if any(cell.strip() for cell in row):
            chunk.append(_line(number, row, places, reading))
        if len(chunk) == CHUNK_LINES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _rows(text: TextIO, reading: Reading) -> Iterator[tuple[int, list[str]]]:
    rows, number = csv.reader(text, delimiter=reading.separator), 0
    while True:
        number += 1
        if number > LINES_MAX + HEAD_ROWS_MAX:
            raise StatementTooLong
        try:
            row = next(rows)
        except StopIteration:
            return
        except (UnicodeDecodeError, csv.Error):
            raise StatementUnreadable(line=number) from None
        yield number, row


def _find_head(rows: Iterator[tuple[int, list[str]]], reading: Reading) -> Mapping[str, int]:
    """Where each column is."""
    wanted = {
        "reference": reading.reference,
        "amount": reading.amount,
        "time": reading.time,
        "currency": reading.currency_column,
    }
    titles = {name: title for name, title in wanted.items() if title}
    for number, row in rows:
        cells = [cell.strip(_PADDING) for cell in row]
        if set(titles.values()) <= set(cells):
            return {name: cells.index(title) for name, title in titles.items()}
        if number >= HEAD_ROWS_MAX:
            break
    raise ColumnsMissing(missing=sorted(titles.values()))


def _line(number: int, row: Sequence[str], places: Mapping[str, int], reading: Reading) -> Line:
    cells = {
        name: row[place].strip(_PADDING)[:CELL_CHARACTERS_MAX].replace("\x00", "")
        if place < len(row)
        else ""
        for name, place in places.items()
    }
    currency = cells.get("currency") or reading.currency
    decimals = reading.decimals_of(currency)
    amount = minor_of(cells["amount"].lstrip(_BEFORE_AMOUNTS), decimals)
    happened_at, refused = moment_of(cells.get("time", "")), ""
    if not cells["reference"]:
        refused = "no_reference"
    elif amount is None:
        refused = "no_amount"
    elif not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        refused = "no_currency"
    elif cells.get("time") and happened_at is None:
        refused = "no_time"
    return Line(number, cells["reference"], amount or 0, currency[:3], happened_at, refused)


class ReconciliationNotFound(NotFound):
    """There is no such reconciliation, or it is not yours."""

    code = "reconciliation_not_found"


class SourceUnclear(Invalid):
    """Name either the channel or the provider whose statement it is."""

    code = "source_unclear"


class StatementUnreadable(Invalid):
    """The file is no CSV in this encoding and with this separator."""

    code = "statement_unreadable"


class StatementTooLong(Invalid):
    """A statement has 1,000,000 lines at most; split it."""

    code = "statement_too_long"


class ColumnsMissing(Invalid):
    """No row among the first 50 has all these columns: `missing`."""

    code = "statement_columns_missing"
