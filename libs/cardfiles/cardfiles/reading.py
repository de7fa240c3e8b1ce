"""The whole way from bytes to good lines and refusals."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cardfiles.checks import Refused, check_cost, check_expiry, check_field
from cardfiles.columns import FIELDS_OF_KIND, Columns, find_columns
from cardfiles.records import Record, Rejection, UnreadableFile, rejection
from cardfiles.table import Cell, Row, read_table

LINES_MAX = 1_000_000

Fingerprint = Callable[[Mapping[str, str]], bytes]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the lines of a file must meet."""

    kind: str
    currency: str
    now: datetime
    fingerprint: Fingerprint


@dataclass(slots=True)
class CardFile:
    """What was found in a file. Line numbers count from 1, the header included."""

    fields: tuple[str, ...]
    encoding: str | None
    separator: str | None
    lines_read: int = 0
    records: list[Record] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    duplicates: list[Rejection] = field(default_factory=list)

    def fields_of(self, record: Record) -> dict[str, str]:
        """The code in clear, on its way into a box."""
        return dict(zip(self.fields, record.values, strict=True))


def read_card_file(data: bytes, rules: Rules) -> CardFile:
    """Reads, checks and fingerprints every line. Raises UnreadableFile for the file as a whole."""
    table = read_table(data, one_column_of_links=rules.kind == "link")
    found = CardFile(FIELDS_OF_KIND[rules.kind], table.encoding, table.separator)
    seen: set[bytes] = set()
    for line, cells, columns in _data_rows(table.rows, rules.kind):
        found.lines_read += 1
        if found.lines_read > LINES_MAX:
            raise UnreadableFile(f"more than {LINES_MAX:,} lines; split the file")
        try:
            record = _record(line, cells, columns, rules)
        except Refused as refused:
            found.rejections.append(rejection(line, refused.code))
            continue
        record.fingerprint = rules.fingerprint(found.fields_of(record))
        if record.fingerprint in seen:
            found.duplicates.append(rejection(line, "duplicate_in_file"))
            continue
        seen.add(record.fingerprint)
        found.records.append(record)
    return found


def _data_rows(rows: Iterator[Row], kind: str) -> Iterator[tuple[int, list[Cell], Columns]]:
    """The rows that are neither blank nor the header."""
    columns: Columns | None = None
    for line, cells in rows:
        if all(isinstance(cell, str) and not cell.strip() for cell in cells):
            continue
        if columns is None:
            columns = find_columns(cells, kind)
            if columns.is_header:
                continue
        yield line, cells, columns


def _record(line: int, cells: Sequence[Cell], columns: Columns, rules: Rules) -> Record:
    values = tuple(
        check_field(name, cells[place] if place < len(cells) else "")
        for name, place in zip(FIELDS_OF_KIND[rules.kind], columns.fields, strict=True)
    )
    cost = check_cost(_cell(cells, columns.cost), rules.currency)
    expires_at = check_expiry(_cell(cells, columns.expiry), rules.now)
    return Record(line, values, cost, expires_at)


def _cell(cells: Sequence[Cell], place: int | None) -> Cell:
    return cells[place] if place is not None and place < len(cells) else ""
