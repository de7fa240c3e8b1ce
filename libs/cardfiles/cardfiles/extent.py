"""How much a spreadsheet unfolds to, found before a reader makes room for all of it.

A reader lays a sheet out as a rectangle from its first filled cell to its last, and repeats a text
in each cell that names it. So a file of 2 KB takes any amount of memory, and where there is none
left the reader ends its process.
"""

import re
import zipfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from cardfiles.records import UnreadableFile

CELLS_MAX = 33_554_432
"""A million lines of 32 columns."""
TEXTS_BYTES_MAX = 536_870_912
"""As many as all parts together may have."""

_BLOCK_BYTES = 1_048_576
_CELL_BYTES_MAX = 262_144
_OTHER_FORMATS = frozenset({"xl/workbook.bin", "content.xml"})

_FAR = re.compile(
    rb"<(?:[\w.-]+:)?c(?=[\s>])"
    rb'(?!\s+r="(?:[A-Z]|A[A-F])(?:\d{1,6}|10[0-4]\d{4})")'
)
"""A cell that is not surely one of the first 32 columns and of a sheet's last line at most."""
_OPENED = re.compile(rb"<(?:[\w.-]+:)?(?:(row)|c)(?=[\s>])([^<>]*[^<>/])?>")
"""Rows and cells that hold something: `<c r="B2" s="1"/>` is a format and no content."""
_ROW = re.compile(rb"""(?:^|\s)r\s*=\s*["'](\d{1,9})["']""")
_PLACE = re.compile(rb"""(?:^|\s)r\s*=\s*["']([A-Za-z]{1,7})(\d{1,9})["']""")
_NAMES_TEXT = re.compile(rb"""\st\s*=\s*["']s["']""")
_NAMED_TEXT = re.compile(rb"""\st\s*=\s*["']s["'][^<>]*>\s*<(?:[\w.-]+:)?v>(\d{1,9})<""")
_TEXT = re.compile(rb"<(?:[\w.-]+:)?si[\s>]")


def require_moderate(archive: zipfile.ZipFile) -> None:
    """Reads every part, in memory of a few MB. Raises UnreadableFile."""
    entries = archive.infolist()
    if any(entry.filename.lower() in _OTHER_FORMATS for entry in entries):
        raise UnreadableFile("of spreadsheets only .xlsx is read; save the file as .xlsx or .csv")
    texts, naming = _Texts(), dict[zipfile.ZipInfo, int]()
    for entry in entries:
        naming[entry] = 0
        is_far = False
        texts.begin_part()
        for block in _blocks(archive, entry):
            texts.add(block)
            naming[entry] += _named_in(block)
            is_far = is_far or _FAR.search(block) is not None
        if is_far and _cells_in(_blocks(archive, entry)) > CELLS_MAX:
            raise UnreadableFile(
                "the spreadsheet has cells too far apart, which takes too much memory; delete what "
                "stands far away, or save what is needed as .csv"
            )
    for entry, count in naming.items():
        if count * texts.longest <= TEXTS_BYTES_MAX:
            continue
        if texts.bytes_in(_blocks(archive, entry)) > TEXTS_BYTES_MAX:
            raise UnreadableFile(
                "the spreadsheet repeats long texts, which takes too much memory; save what is "
                "needed as .csv"
            )


@dataclass(slots=True)
class _Texts:
    """How long the texts are that cells name by number, with what is around them."""

    lengths: "array[int]" = field(default_factory=lambda: array("Q"))
    longest: int = 0
    has_begun: bool = False

    def begin_part(self) -> None:
        """What comes now is no part of the last text."""
        self.has_begun = False

    def add(self, block: bytes) -> None:
        """In the order of the part: what comes before a text's beginning belongs to the last."""
        start = 0
        if not self.has_begun and b"<si" not in block and b":si" not in block:
            return
        for found in _TEXT.finditer(block):
            self._lengthen(found.start() - start)
            self.lengths.append(0)
            self.has_begun = True
            start = found.start()
        self._lengthen(len(block) - start)

    def bytes_in(self, blocks: Iterator[bytes]) -> int:
        """Of all cells of a part that name one."""
        total = 0
        for block in blocks:
            named = _NAMED_TEXT.findall(block)
            total += sum(self._length_of(int(number)) for number in named)
            total += self.longest * (_named_in(block) - len(named))
        return total

    def _lengthen(self, more: int) -> None:
        if self.has_begun:
            self.lengths[-1] += more
            self.longest = max(self.longest, self.lengths[-1])

    def _length_of(self, number: int) -> int:
        return self.lengths[number] if number < len(self.lengths) else 0


def _blocks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """A part in blocks that end before a cell or another tag."""
    with archive.open(entry) as part:
        rest = b""
        while block := part.read(_BLOCK_BYTES):
            block = rest + block
            end = max(block.rfind(b"<c "), block.rfind(b"<row"))
            if end < len(block) - _CELL_BYTES_MAX:
                end = block.rfind(b"<")
            if end < len(block) - _CELL_BYTES_MAX:
                end = len(block)
            yield block[:end]
            rest = block[end:]
        yield rest


def _named_in(block: bytes) -> int:
    """How many cells name their text by number."""
    return len(_NAMES_TEXT.findall(block)) if b'"s"' in block or b"'s'" in block else 0


def _cells_in(blocks: Iterator[bytes]) -> int:
    """Of the rectangle around all cells that hold something. A row or a cell that does not say
    where it stands follows the one before.
    """
    row = column = last_row = last_column = 0
    first_row = first_column = 2**62
    columns: dict[bytes, int] = {}
    for block in blocks:
        for tag in _OPENED.finditer(block):
            is_row, attributes = tag.groups(b"")
            if is_row:
                said = _ROW.search(attributes)
                row, column = int(said[1]) if said else row + 1, 0
                continue
            place = _PLACE.search(attributes)
            if place is None:
                column += 1
            else:
                letters = place[1]
                if letters not in columns:
                    columns[letters] = _number_of(letters)
                column, row = columns[letters], int(place[2])
            first_row, last_row = min(first_row, row), max(last_row, row)
            first_column, last_column = min(first_column, column), max(last_column, column)
    if not last_column:
        return 0
    return (last_row - first_row + 1) * (last_column - first_column + 1)


def _number_of(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
