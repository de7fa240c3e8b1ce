"""The whole way from bytes to good lines and refusals, chunk by chunk.

Chunks are made the same way each time the same file is read by the same rules, so an import that
was cut off goes on behind its last chunk.
"""

import itertools
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cardfiles.checks import (
    Refused,
    check_capacity,
    check_cost,
    check_expiry,
    check_field,
)
from cardfiles.columns import FIELDS_OF_KIND, Columns, find_columns
from cardfiles.options import Options
from cardfiles.records import Record, Rejection, UnreadableFile, rejection
from cardfiles.table import Cell, Place, Row, Table, read_table

LINES_MAX = 1_000_000
UNITS_MAX = 10_000_000
CHUNK_LINES = 10_000
CHUNK_UNITS = 10_000
CHUNK_CHARACTERS = 8_388_608
"""A chunk ends when one of the three is reached: its memory has a bound whatever the file holds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = 2**62

Fingerprint = Callable[[str, str], bytes]
"""Of a field's name and value: equal for what is to count as the same code."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the lines of a file must meet. `expires_at`: of lines without an expiry of their own."""

    kind: str
    currency: str
    now: datetime
    fingerprint: Fingerprint
    expires_at: datetime | None = None


@dataclass(slots=True)
class Chunk:
    """A part of a file. Figures count from the file's beginning; `number` from 1.

    Where lines have their own expiry (`CardFile.sorts`), the file is checked first, which gives
    chunks with refusals only, and then come the good lines, the first to expire first.
    """

    number: int
    lines_read: int
    bytes_read: int
    records: list[Record]
    refused: list[Rejection]
    is_mixed: bool = False
    """The units of this file differ in expiry; each record has its own."""
    expires_at: datetime | None = None
    """The expiry that all units share, unless they are mixed."""


@dataclass(slots=True)
class Kept:
    """Good lines that wait for their turn: where they are, not what they hold."""

    lines: "array[int]" = field(default_factory=lambda: array("I"))
    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    ends: "array[int]" = field(default_factory=lambda: array("Q"))
    expiries: "array[int]" = field(default_factory=lambda: array("q"))
    fingerprints: bytearray = field(default_factory=bytearray)
    records: list[Record] = field(default_factory=list)
    """Instead of places, where a row cannot be read again by its place."""


class CardFile:
    """An opened file; nothing of it is decoded before its turn comes."""

    def __init__(self, table: Table, rules: Rules, options: Options, size_bytes: int) -> None:
        self._table = table
        self._rules = rules
        self._options = options
        self._columns: Columns | None = None
        self.fields = FIELDS_OF_KIND[rules.kind]
        self.encoding = table.encoding
        self.separator = table.separator
        self.size_bytes = size_bytes
        self.lines_read = 0
        self.bytes_read = 0
        self._units = 0

    def chunks(self) -> Iterator[Chunk]:
        """The file from its beginning. Raises UnreadableFile for the file as a whole."""
        rows = self._data_rows()
        # A damaged first line comes before the header that says what the columns are.
        leading = list(_until(rows, lambda: self._columns is not None))
        columns = self._columns
        if columns is None or not leading:
            return
        rows = itertools.chain(leading, rows)
        if columns.expiry is None:
            yield from self._in_order_of_the_file(rows, columns)
        else:
            yield from self._in_order_of_expiry(rows, columns)

    def fields_of(self, record: Record) -> dict[str, str]:
        """The code in clear, on its way into a box."""
        return dict(zip(self.fields, record.values, strict=True))

    def _in_order_of_the_file(self, rows: Iterator[Row], columns: Columns) -> Iterator[Chunk]:
        seen: set[bytes] = set()
        chunk, units, characters = self._chunk(1), 0, 0
        chunk_ends_at = CHUNK_LINES
        for line, place, cells in rows:
            record = self._checked(line, cells, columns, seen, chunk.refused)
            if record is not None:
                chunk.records.append(record)
                units += record.capacity
                characters += place[1] - place[0] or len(record.values[0])
            if (
                self.lines_read >= chunk_ends_at
                or units >= CHUNK_UNITS
                or characters >= CHUNK_CHARACTERS
            ):
                yield self._ended(chunk)
                chunk, units, characters = self._chunk(chunk.number + 1), 0, 0
                chunk_ends_at = self.lines_read + CHUNK_LINES
        if chunk.records or chunk.refused:
            yield self._ended(chunk)

    def _in_order_of_expiry(self, rows: Iterator[Row], columns: Columns) -> Iterator[Chunk]:
        """A lot's sequence is its order of sale: where expiries differ, the first to expire goes
        first. So all lines are checked before one is sealed.
        """
        kept, seen = Kept(), set[bytes]()
        chunk = self._chunk(1)
        for line, place, cells in rows:
            record = self._checked(line, cells, columns, seen, chunk.refused)
            if record is not None:
                self._keep(kept, record, place)
            if self.lines_read % CHUNK_LINES == 0:
                yield self._ended(chunk)
                chunk = self._chunk(chunk.number + 1)
        del seen
        expiries = kept.expiries
        is_mixed = bool(expiries) and min(expiries) != max(expiries)
        shared = self._moment(expiries[0]) if expiries and not is_mixed else None
        for part in self._kept_chunks(kept, columns, chunk):
            part.is_mixed, part.expires_at = is_mixed, shared
            yield part

    def _kept_chunks(self, kept: Kept, columns: Columns, chunk: Chunk) -> Iterator[Chunk]:
        expiries, units, characters = kept.expiries, 0, 0
        for index in sorted(range(len(expiries)), key=expiries.__getitem__):
            record = self._read_again(kept, index, columns)
            chunk.records.append(record)
            units += record.capacity
            characters += sum(map(len, record.values))
            if units >= CHUNK_UNITS or characters >= CHUNK_CHARACTERS:
                yield self._ended(chunk)
                chunk, units, characters = self._chunk(chunk.number + 1), 0, 0
        if chunk.records or chunk.refused:
            yield self._ended(chunk)

    def _keep(self, kept: Kept, record: Record, place: Place) -> None:
        moment = record.expires_at or self._rules.expires_at
        kept.expiries.append(
            _NEVER if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
        )
        if self._table.is_text:
            kept.lines.append(record.line)
            kept.starts.append(place[0])
            kept.ends.append(place[1])
            kept.fingerprints += record.fingerprint
        else:
            kept.records.append(record)

    def _read_again(self, kept: Kept, index: int, columns: Columns) -> Record:
        expires_at = self._moment(kept.expiries[index])
        if kept.records:
            return kept.records[index]._replace(expires_at=expires_at)
        cells = self._table.cells_at((kept.starts[index], kept.ends[index]))
        size = len(kept.fingerprints) // len(kept.lines)
        fingerprint = bytes(kept.fingerprints[index * size : (index + 1) * size])
        values, cost, _, capacity = self._read(cells, columns)
        return Record(kept.lines[index], values, cost, expires_at, capacity, fingerprint)

    def _moment(self, expiry: int) -> datetime | None:
        return None if expiry == _NEVER else _EPOCH + timedelta(microseconds=expiry)

    def _checked(
        self,
        line: int,
        cells: list[Cell] | None,
        columns: Columns,
        seen: set[bytes],
        refused: list[Rejection],
    ) -> Record | None:
        """The line's record; None when it was refused."""
        if cells is None:
            refused.append(rejection(line, "bad_encoding"))
            return None
        try:
            values, cost, expires_at, capacity = self._read(cells, columns)
        except Refused as refusal:
            refused.append(rejection(line, refusal.code))
            return None
        fingerprint = self._rules.fingerprint(self.fields[0], values[0])
        if fingerprint in seen:
            refused.append(rejection(line, "duplicate_in_file"))
            return None
        seen.add(fingerprint)
        self._units += capacity
        if self._units > UNITS_MAX:
            raise UnreadableFile(f"more than {UNITS_MAX:,} units; split the file")
        return Record(line, values, cost, expires_at, capacity, fingerprint)

    def _read(
        self, cells: Sequence[Cell], columns: Columns
    ) -> tuple[tuple[str, ...], int | None, datetime | None, int]:
        """Raises Refused."""
        count, rules = len(cells), self._rules
        values = tuple(
            [
                check_field(name, cells[place] if place < count else "")
                for name, place in columns.pairs
            ]
        )
        cost = expires_at = None
        capacity = self._options.capacity if rules.kind == "reusable" else 1
        if columns.cost is not None and columns.cost < count:
            cost = check_cost(cells[columns.cost], rules.currency)
        if columns.expiry is not None and columns.expiry < count:
            expires_at = check_expiry(cells[columns.expiry], rules.now)
        if columns.capacity is not None and columns.capacity < count and rules.kind == "reusable":
            capacity = check_capacity(cells[columns.capacity], capacity)
        return values, cost, expires_at, capacity

    def _data_rows(self) -> Iterator[Row]:
        """The rows that are neither blank nor the header."""
        for line, place, cells in self._table.rows():
            if cells is not None:
                if not _is_filled(cells):
                    continue
                if self._columns is None:
                    self._columns = find_columns(cells, self._rules.kind, self._options)
                    if self._columns.is_header:
                        continue
            self.lines_read += 1
            self.bytes_read = place[1]
            if self.lines_read > LINES_MAX:
                raise UnreadableFile(f"more than {LINES_MAX:,} lines; split the file")
            yield line, place, cells

    def _chunk(self, number: int) -> Chunk:
        return Chunk(number, 0, 0, [], [], expires_at=self._rules.expires_at)

    def _ended(self, chunk: Chunk) -> Chunk:
        chunk.lines_read, chunk.bytes_read = self.lines_read, self.bytes_read
        return chunk


@dataclass(slots=True)
class WholeFile:
    """A file read in one go: for files that fit into memory several times over."""

    file: CardFile
    records: list[Record] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)

    @property
    def rejections(self) -> list[Rejection]:
        return [line for line in self.refused if line.code != "duplicate_in_file"]

    @property
    def duplicates(self) -> list[Rejection]:
        return [line for line in self.refused if line.code == "duplicate_in_file"]


def open_card_file(data: bytes, rules: Rules, options: Options | None = None) -> CardFile:
    """Finds out what the file is. Raises UnreadableFile."""
    wanted = options or Options()
    table = read_table(data, wanted, links=rules.kind == "link", images=rules.kind == "image")
    return CardFile(table, rules, wanted, len(data))


def read_card_file(data: bytes, rules: Rules, options: Options | None = None) -> WholeFile:
    """Reads and checks every line. Raises UnreadableFile for the file as a whole."""
    found = WholeFile(open_card_file(data, rules, options))
    for chunk in found.file.chunks():
        found.records += chunk.records
        found.refused += chunk.refused
    return found


def _is_filled(cells: Sequence[Cell]) -> bool:
    first = cells[0] if cells else ""
    if not isinstance(first, str) or first.strip():
        return True
    return any(not isinstance(cell, str) or cell.strip() for cell in cells)


def _until(rows: Iterator[Row], reached: Callable[[], bool]) -> Iterator[Row]:
    for row in rows:
        yield row
        if reached():
            return
