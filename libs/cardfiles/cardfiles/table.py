"""A file as rows of cells: which encoding, which separator, which sheet."""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from python_calamine import CalamineError, CalamineWorkbook

from cardfiles.records import UnreadableFile

Cell = str | float | int | bool | date | datetime | time | timedelta
"""Text files have texts only; spreadsheets have types, and damage shows in them."""

Row = tuple[int, list[Cell]]
"""Line of the file (from 1) and its cells."""

SEPARATORS = ("----", "\t", ";", "|", ",")
SAMPLE_LINES = 50
CELL_CHARACTERS_MAX = 1_000_000
SPREADSHEET_BYTES_MAX = 536_870_912
"""Unpacked: a small file may unpack to anything."""


@dataclass(frozen=True, slots=True)
class Table:
    encoding: str | None
    separator: str | None
    rows: Iterator[Row]


def read_table(data: bytes, *, one_column_of_links: bool = False) -> Table:
    """The rows of a CSV, TXT or XLSX file. Raises UnreadableFile.

    `one_column_of_links`: without a header a comma is a part of the link, not a separator.
    """
    if not data.strip():
        raise UnreadableFile("the file is empty")
    if data.startswith(b"PK\x03\x04"):
        return Table(None, None, _spreadsheet(data))
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableFile("old Excel files (.xls) are not read; save the file as .xlsx or .csv")
    encoding, text = decode(data)
    separator = guess_separator(text, links=one_column_of_links)
    return Table(encoding, separator, _rows(text, separator))


def decode(data: bytes) -> tuple[str, str]:
    """(encoding, text). UTF-8 is tried first: what is valid UTF-8 is hardly ever anything else,
    while GB18030 accepts nearly all bytes.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        encodings = ["utf-8-sig"]
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            return encoding, data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableFile("the file is neither UTF-8 nor GB18030 (GBK); save it as UTF-8")


def guess_separator(text: str, *, links: bool) -> str | None:
    """The separator that most lines have equally often; None: one column."""
    sample = [line for line in text[:200_000].splitlines() if line.strip()][:SAMPLE_LINES]
    best: tuple[float, str] | None = None
    for separator in SEPARATORS:
        if separator == "," and links and sample[0].lower().startswith("http"):
            continue
        counts = [_count(line, separator) for line in sample]
        wanted = counts[0]
        if wanted == 0:
            continue
        share = sum(count == wanted for count in counts) / len(counts)
        # Strictly better only: the order of SEPARATORS settles ties, so ---- is not taken for
        # dashes and a comma inside a text does not beat the semicolon between the columns.
        if share >= 0.5 and (best is None or share > best[0]):
            best = (share, separator)
    return best[1] if best else None


def _count(line: str, separator: str) -> int:
    """How often the separator stands outside of quotes."""
    outside = line.split('"')[::2] if line.count('"') % 2 == 0 else [line]
    return sum(part.count(separator) for part in outside)


def _rows(text: str, separator: str | None) -> Iterator[Row]:
    if separator is not None and len(separator) == 1:
        yield from _quoted_rows(text, separator)
        return
    for number, line in enumerate(_lines(text), start=1):
        yield number, list(line.split(separator)) if separator else [line]


def _quoted_rows(text: str, separator: str) -> Iterator[Row]:
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    while True:
        try:
            first_line = reader.line_num + 1
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UnreadableFile(f"line {reader.line_num}: a quote is not closed") from error
        yield first_line, list(cells)


def _lines(text: str) -> list[str]:
    """Lines by \\n, \\r\\n or \\r only: str.splitlines also splits at odd characters in codes."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _spreadsheet(data: bytes) -> Iterator[Row]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > SPREADSHEET_BYTES_MAX:
            raise UnreadableFile("the spreadsheet unpacks to more than 512 MB")
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheet = workbook.get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, zipfile.BadZipFile, OSError, ValueError) as error:
        raise UnreadableFile("the spreadsheet is damaged or protected") from error
    yield from enumerate(rows, start=1)
