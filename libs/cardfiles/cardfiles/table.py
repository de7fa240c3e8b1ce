"""A file as rows of cells: which separator, which sheet, or an archive of images."""

import base64
import csv
import io
import itertools
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Protocol

from python_calamine import CalamineError, CalamineWorkbook

from cardfiles.extent import require_moderate
from cardfiles.lines import Lines, decode, open_lines
from cardfiles.options import SEPARATOR_NAMES, SEPARATORS, SEPARATORS_NAMED, Options
from cardfiles.records import UnreadableFile

Cell = str | float | int | bool | date | datetime | time | timedelta
"""Text files have texts only; spreadsheets have types, and damage shows in them."""

Place = tuple[int, int]
"""Where a row begins and ends in a text file; (0, 0) where rows have no such place."""

Row = tuple[int, Place, list[Cell] | None]
"""Line of the file (from 1), place, cells; None for a line that is no text."""

Line = tuple[int, bytes]

_IN_URI = ";base64,"

SAMPLE_LINES = 50
ROW_LINES_MAX = 100
"""A quote that is open for longer is taken for a character of the code."""
SAMPLE_BYTES = 200_000
CELL_CHARACTERS_MAX = 1_000_000
SPREADSHEET_BYTES_MAX = 536_870_912
"""Unpacked: a small file may unpack to anything."""
ARCHIVE_FILES_MAX = 100_000
ARCHIVE_BYTES_MAX = 536_870_912
ARCHIVED_IMAGE_BYTES_MAX = 1_048_576
"""One file of an archive; far larger than what is taken, so that the refusal is the image's own."""


_NO_SPREADSHEET = (
    CalamineError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)


class Table(Protocol):
    """The rows of a file, in its order."""

    encoding: str | None
    separator: str | None

    def rows(self) -> Iterator[Row]: ...

    def cells_at(self, place: Place) -> list[Cell]:
        """A row once more, by its place; only of a `is_text` table."""
        ...

    @property
    def is_text(self) -> bool: ...


def read_table(
    data: bytes, options: Options, *, links: bool = False, images: bool = False
) -> Table:
    """The rows of a CSV, TXT, XLSX or (of images) ZIP file. Raises UnreadableFile.

    `links`: without a header a comma is a part of the link, not a separator.
    """
    if not data.strip():
        raise UnreadableFile("the file is empty")
    if data.startswith(b"PK\x03\x04"):
        return ImageArchive(data) if images and _is_archive_of_files(data) else Spreadsheet(data)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableFile("old Excel files (.xls) are not read; save the file as .xlsx or .csv")
    lines = open_lines(data, options.encoding)
    if options.separator is None:
        return TextTable(lines, guess_separator(lines.sample(SAMPLE_BYTES), links=links))
    separator = SEPARATOR_NAMES.get(options.separator, options.separator)
    if separator not in SEPARATORS_NAMED:
        raise UnreadableFile("the separator is one of , ; | ---- ║ tab space")
    return TextTable(lines, separator)


class TextTable:
    """CSV or TXT. Rows are read line by line, so a damaged line costs that line only."""

    is_text = True

    def __init__(self, lines: Lines, separator: str | None) -> None:
        self._lines = lines
        self.encoding: str | None = lines.encoding
        self.separator = separator
        self._may_quote = separator is not None and len(separator) == 1 and separator != " "
        csv.field_size_limit(CELL_CHARACTERS_MAX)

    def rows(self) -> Iterator[Row]:
        codec, number, mark = self._lines.codec, 0, self._lines.mark
        lines, pending = iter(self._lines), deque[Line]()
        for start, raw in _with_pending(lines, pending):
            number += 1
            if mark and raw.startswith(mark):
                start, raw = start + len(mark), raw[len(mark) :]
            text = decode(raw, codec)
            if text is None:
                yield number, (start, start + len(raw)), None
            elif not self._may_quote or '"' not in text:
                yield number, (start, start + len(raw)), self._split(text)
            else:
                whole, count = self._whole_row(start, raw, lines, pending)
                yield number, (start, start + len(whole)), self._cells(whole)
                number += count - 1

    def _whole_row(
        self, start: int, raw: bytes, lines: Iterator[Line], pending: deque[Line]
    ) -> tuple[bytes, int]:
        """The row that begins with this line, and of how many lines it is. What was read too far
        is pending again: a quote that is never closed is a character like any other.
        """
        if not self._is_open(raw):
            return raw, 1
        ahead = [pending.popleft() for _ in range(min(len(pending), ROW_LINES_MAX))]
        ahead += itertools.islice(lines, ROW_LINES_MAX - len(ahead))
        whole = raw
        for count, (_, more) in enumerate(ahead, start=1):
            whole = whole + b"\n" + more
            if not self._is_open(whole):
                pending.extendleft(reversed(ahead[count:]))
                return whole, count + 1
        pending.extendleft(reversed(ahead))
        return raw, 1

    def cells_at(self, place: Place) -> list[Cell]:
        return self._cells(self._lines.data[place[0] : place[1]]) or []

    def _is_open(self, raw: bytes) -> bool:
        """Whether a cell's quote is still open at the end."""
        cells = self._parsed(raw + b"\n\x1f")
        return bool(cells) and cells[-1].endswith("\n\x1f")

    def _cells(self, raw: bytes) -> list[Cell] | None:
        text = decode(raw, self._lines.codec)
        if text is None:
            return None
        if not self._may_quote or '"' not in text or self._is_open(raw):
            return self._split(text)
        return [*self._parsed(raw)] or self._split(text)

    def _parsed(self, raw: bytes) -> list[str]:
        """By the rules of CSV; empty for what these rules do not allow."""
        text = decode(raw, self._lines.codec)
        assert self.separator is not None
        try:
            return next(
                csv.reader(io.StringIO(text or "", newline="\n"), delimiter=self.separator), []
            )
        except csv.Error:
            return []

    def _split(self, text: str) -> list[Cell]:
        if self.separator is None:
            return [text]
        # Aligned columns: any run of spaces separates.
        return list(text.split() if self.separator == " " else text.split(self.separator))


def _with_pending(lines: Iterator[Line], pending: deque[Line]) -> Iterator[Line]:
    """The lines, and those that somebody puts into `pending` in between, before the next ones."""
    for line in lines:
        yield line
        while pending:
            yield pending.popleft()


class Spreadsheet:
    """The first sheet of an .xlsx file."""

    is_text = False
    encoding: str | None = None
    separator: str | None = None

    def __init__(self, data: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                unpacked = sum(entry.file_size for entry in archive.infolist())
                if unpacked > SPREADSHEET_BYTES_MAX:
                    raise UnreadableFile("the spreadsheet unpacks to more than 512 MB")
                require_moderate(archive)
            workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
            self._sheet = workbook.get_sheet_by_index(0)
        except _NO_SPREADSHEET as error:
            raise UnreadableFile("the spreadsheet is damaged or protected") from error

    def rows(self) -> Iterator[Row]:
        # From the sheet's first row on, also where its first cell stands lower.
        for line, cells in enumerate(self._sheet.iter_rows(), start=1):
            yield line, (0, 0), cells

    def cells_at(self, place: Place) -> list[Cell]:
        raise NotImplementedError("a spreadsheet is read from its beginning only")


class ImageArchive:
    """A ZIP of image files: each is a unit. A line is the position in the archive: the file's name
    may be the code itself, so it is repeated nowhere.
    """

    is_text = False
    encoding: str | None = None
    separator: str | None = None

    def __init__(self, data: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._entries = [
            entry
            for entry in self._archive.infolist()
            if not entry.is_dir() and not entry.filename.startswith(("__MACOSX/", "."))
        ]
        if len(self._entries) > ARCHIVE_FILES_MAX:
            raise UnreadableFile(f"more than {ARCHIVE_FILES_MAX:,} files; split the archive")
        if sum(entry.file_size for entry in self._entries) > ARCHIVE_BYTES_MAX:
            raise UnreadableFile("the archive unpacks to more than 512 MB")

    def rows(self) -> Iterator[Row]:
        for line, entry in enumerate(self._entries, start=1):
            try:
                with self._archive.open(entry) as file:
                    content = file.read(ARCHIVED_IMAGE_BYTES_MAX)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError):
                # RuntimeError: with a password. zlib's own error is a BadZipFile to its reader.
                yield line, (0, 0), ["?"]
                continue
            yield line, (0, 0), [base64.b64encode(content).decode("ascii")]

    def cells_at(self, place: Place) -> list[Cell]:
        raise NotImplementedError("an archive is read from its beginning only")


def guess_separator(text: str, *, links: bool) -> str | None:
    """The separator that most lines have equally often; None: one column."""
    sample = [line for line in text.splitlines() if line.strip()][:SAMPLE_LINES]
    best: tuple[float, str] | None = None
    for separator in SEPARATORS:
        if separator == "," and links and sample[0].lower().startswith("http"):
            continue
        if separator in (",", ";") and any(_count(line, _IN_URI) for line in sample):
            # An image as a data URI holds both of them.
            continue
        counts = [_count(line, separator) for line in sample]
        wanted = counts[0] if counts else 0
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


def _is_archive_of_files(data: bytes) -> bool:
    """A spreadsheet is a ZIP too; it names its content types."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "[Content_Types].xml" not in archive.namelist()
    except zipfile.BadZipFile as error:
        raise UnreadableFile("the archive is damaged") from error
