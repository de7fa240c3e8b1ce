"""A supplier's statement: what it says we bought, held against what we know."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TextIO
from uuid import UUID

from kit.errors import Invalid, NotFound
from kit.money import Money
from kit.statement_files import minor_of, moment_of

CHUNK_LINES = 2_000
LINES_MAX = 1_000_000
CELL_CHARACTERS_MAX = 400
DONE_WORDS = "done,ok,success,succeeded,successful,completed,paid,200,成功,已完成"
FAILED_WORDS = "failed,failure,refunded,refund,cancelled,canceled,reversed,失败,已退款,已取消"


class StatementState(StrEnum):
    READING = "reading"
    COMPLETED = "completed"
    FAILED = "failed"


class Status(StrEnum):
    """What the supplier says became of it."""

    DONE = "done"
    FAILED = "failed"
    PENDING = "pending"


class Difference(StrEnum):
    MISSING_HERE = "missing_here"  # it says that we bought what we know nothing of
    MISSING_THERE = "missing_there"  # we bought what it does not list
    AMOUNT_DIFFERS = "amount_differs"
    STATE_DIFFERS = "state_differs"
    LISTED_TWICE = "listed_twice"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of the file is what, by the names in its head; empty: there is none."""

    reference: str
    amount: str
    status: str
    supplier_reference: str = ""
    currency: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read. `decimals` of its amounts: 2 for yuan, 0 for fen."""

    columns: Columns
    currency: str
    decimals: int = 2
    done_words: frozenset[str] = frozenset(DONE_WORDS.split(","))
    failed_words: frozenset[str] = frozenset(FAILED_WORDS.split(","))

    def mark(self) -> bytes:
        """Tells readings apart; goes into the statement's digest."""
        words = (sorted(self.done_words), sorted(self.failed_words))
        return repr((self.columns, self.currency, self.decimals, words)).encode()


@dataclass(frozen=True, slots=True)
class StatementLine:
    """`purchase_id` where its reference looks like one of ours; `refused` says why it cannot be
    read.
    """

    line: int
    purchase_id: UUID | None
    reference: str
    supplier_reference: str
    amount: Money | None
    status: Status
    happened_at: datetime | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    id: UUID
    merchant_id: UUID
    supplier: str
    file_name: str
    digest: bytes = field(repr=False)
    period_from: datetime | None = None
    period_to: datetime | None = None
    state: StatementState = StatementState.READING
    reason: str = ""
    lines: int = 0
    refused: int = 0
    results: Mapping[str, int] = field(default_factory=dict)
    created_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Differing:
    """One line, or one purchase of ours, that does not agree with the other side."""

    kind: Difference
    line: int | None
    reference: str
    purchase_id: UUID | None
    order_id: UUID | None
    procurement_id: UUID | None
    amount_there: Money | None
    amount_here: Money | None
    status_there: str
    state_here: str


def read_lines(text: TextIO, reading: Reading) -> Iterator[list[StatementLine]]:
    """Chunk by chunk. Raises UnreadableStatement for a file without the named columns."""
    rows = csv.reader(text)
    try:
        head = [cell.strip().lstrip("\ufeff") for cell in next(rows)]
    except (StopIteration, UnicodeDecodeError, csv.Error):
        raise UnreadableStatement from None
    places = _places(head, reading.columns)
    chunk: list[StatementLine] = []
    for number, row in _numbered(rows):
        chunk.append(_line(number, row, places, reading))
        if len(chunk) == CHUNK_LINES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _numbered(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    number = 1
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except (UnicodeDecodeError, csv.Error):
            raise UnreadableStatement(line=number + 1) from None
        number += 1
        if number > LINES_MAX:
            raise StatementTooLong
        if any(cell.strip() for cell in row):
            yield number, row


def _places(head: Sequence[str], columns: Columns) -> Mapping[str, int]:
    """Where each column is. Raises ColumnMissing."""
    wanted = {name: getattr(columns, name) for name in Columns.__slots__ if getattr(columns, name)}
    missing = [title for title in wanted.values() if title not in head]
    if missing:
        raise ColumnMissing(missing=missing, found=list(head)[:50])
    return {name: head.index(title) for name, title in wanted.items()}


def _line(
    number: int, row: Sequence[str], places: Mapping[str, int], reading: Reading
) -> StatementLine:
    cells = {
        name: row[place].strip()[:CELL_CHARACTERS_MAX].replace("\x00", "")
        if place < len(row)
        else ""
        for name, place in places.items()
    }
    currency = cells.get("currency") or reading.currency
    amount = _amount(cells["amount"], currency, reading.decimals)
    happened_at, refused = moment_of(cells.get("time", "")), ""
    if not cells["reference"] and not cells.get("supplier_reference"):
        refused = "no_reference"
    elif amount is None:
        refused = "no_amount"
    elif cells.get("time") and happened_at is None:
        refused = "no_time"
    return StatementLine(
        line=number,
        purchase_id=_uuid(cells["reference"]),
        reference=cells["reference"],
        supplier_reference=cells.get("supplier_reference", ""),
        amount=amount,
        status=_status(cells["status"], reading),
        happened_at=happened_at,
        refused=refused,
    )


def _amount(text: str, currency: str, decimals: int) -> Money | None:
    """Exactly; None for what is no amount of this currency."""
    minor = minor_of(text, decimals)
    is_currency = len(currency) == 3 and currency.isascii() and currency.isupper()
    return Money(abs(minor), currency) if minor is not None and is_currency else None


def _status(text: str, reading: Reading) -> Status:
    word = text.lower()
    if word in reading.done_words:
        return Status.DONE
    return Status.FAILED if word in reading.failed_words else Status.PENDING


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


class StatementNotFound(NotFound):
    """There is no such statement, or it is not yours."""

    code = "supplier_statement_not_found"


class StatementOfUnknownSupplier(Invalid):
    """You have no account with a supplier of this name."""

    code = "statement_of_unknown_supplier"


class UnreadableStatement(Invalid):
    """The file is no CSV in UTF-8 with a head."""

    code = "unreadable_statement"


class StatementTooLong(Invalid):
    """A statement has 1,000,000 lines at most; split it."""

    code = "statement_too_long"


class ColumnMissing(Invalid):
    """The file's head has no such columns: `missing`; it has those of `found`."""

    code = "statement_column_missing"
