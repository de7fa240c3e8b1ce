"""The catalogue as a CSV file: its columns, its cells, what is wrong with a line.

A file taken out, edited in a spreadsheet and brought in again changes what was edited and nothing
else. Cells that a spreadsheet would run as a formula begin with an apostrophe, which is taken off
again.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kit.errors import Invalid
from kit.spreadsheets import is_formula

LINES_MAX = 20_000
FILE_BYTES_MAX = 33_554_432
CELL_CHARACTERS_MAX = 100_000

COLUMNS = (
    "sku",
    "name",
    "active",
    "price_minor",
    "currency",
    "fulfillment",
    "instructions",
    "form",
    "sale_from",
    "sale_until",
    "countries_allowed",
    "countries_refused",
    "channels",
    "quantity_min",
    "quantity_max",
    "limits",
    "template",
    "redemption_text",
    "redemption_url",
    "valid_days",
    "translations",
    "image_url",
    "family",
    "options",
    "tiers",
    "allow_rising",
    "cost",
)
NEEDED = ("name", "price_minor", "currency", "fulfillment")
"""Of a product that is new."""

_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file (from 1, the header's): its cells by column, those of the file only."""

    line: int
    sku: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line changed nothing."""

    line: int
    sku: str
    column: str
    code: str
    detail: str


@dataclass(slots=True)
class Receipt:
    lines: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)


class CellRefused(Exception):
    """A cell is not what its column holds."""

    def __init__(self, column: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.column, self.code, self.detail = column, code, detail


def read_rows(data: bytes) -> Iterator[Row | Refusal]:
    """The file's lines in their order. Raises UnreadableFile for the file as a whole."""
    rows = _numbered(_decoded(data))
    header = _header(next(rows, (1, []))[1])
    seen: dict[str, int] = {}
    count = 0
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        if count > LINES_MAX:
            raise UnreadableFile(f"more than {LINES_MAX:,} lines; split the file")
        yield _row(line, header, cells, seen)


def _decoded(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableFile("the file is neither UTF-8 nor GB18030; save it as CSV UTF-8")


def _numbered(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line each begins at."""
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    # Strict: a quote that is never closed would swallow the lines after it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise UnreadableFile(f"line {line} is not CSV: {error}") from error
        if cells is None:
            return
        yield line, cells


def _header(cells: Sequence[str]) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    unknown = sorted(set(header) - set(COLUMNS))
    if unknown or len(set(header)) < len(header) or "sku" not in header:
        why = f"not known: {', '.join(unknown)[:200]}" if unknown else "each once, with sku"
        raise UnreadableFile(f"the first line names the columns ({why})", columns=list(COLUMNS))
    return header


def _row(
    line: int, header: Sequence[str], cells: Sequence[str], seen: dict[str, int]
) -> Row | Refusal:
    given = dict(zip(header, (plain(cell) for cell in cells), strict=False))
    sku = given.pop("sku", "").strip()
    if len(cells) != len(header):
        detail = f"{len(cells)} cells where the header has {len(header)}"
        return Refusal(line, sku[:64], "", "cell_count", detail)
    if any("\0" in cell for cell in cells):
        return Refusal(line, "", "", "nul_character", "no text here may have a NUL character")
    if sku in seen:
        return Refusal(line, sku[:64], "sku", "sku_twice", f"line {seen[sku]} has it too")
    seen[sku] = line
    return Row(line, sku, given)


def guarded(value: str) -> str:
    """A cell that no spreadsheet runs; `plain` gives the value back."""
    return f"'{value}" if is_formula(value) or _is_guarded(value) else value


def plain(cell: str) -> str:
    return cell[1:] if _is_guarded(cell) else cell


def _is_guarded(cell: str) -> bool:
    return cell[:1] == "'" and (cell[1:2] == "'" or is_formula(cell[1:]))


def write_rows(rows: Iterable[Sequence[str]]) -> bytes:
    """Lines of the file, their cells guarded."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows([guarded(cell) for cell in row] for row in rows)
    return written.getvalue().encode()


class UnreadableFile(Invalid):
    """The file as a whole cannot be read; nothing was changed."""

    code = "unreadable_file"
