"""Spreadsheets that unfold to far more than they hold: refused before a reader runs out of memory
and ends its process, which on a shop's own machine is the command.
"""

import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from cardfiles.reading import Rules, WholeFile, read_card_file
from cardfiles.records import UnreadableFile
from sealing import Fingerprinter
from tests.cardfiles.spreadsheets import a_sheet, a_spreadsheet, with_part, with_shared_texts

SHEET = "xl/worksheets/sheet1.xml"
MEMORY_BYTES_MAX = 2_147_483_648
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def read(data: bytes) -> WholeFile:
    return read_card_file(data, Rules("code", "CNY", NOW, Fingerprinter(b"k" * 32, UUID(int=7)).of))


def codes(data: bytes) -> list[str]:
    return [record.values[0] for record in read(data).records]


def read_apart(path: Path) -> tuple[int, str]:
    """(exit code, what was said) of a process that has little memory."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))

    program = (
        "import sys; from tests.cardfiles.test_spreadsheets import read; "
        "read(open(sys.argv[1], 'rb').read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "sheet",
    [
        a_spreadsheet({"A1": "code", "A2": "A-1", "XFD1048576": "far"}),
        a_spreadsheet({"A1": "code", "A2": "A-1", "kn1048576": "far"}),
        with_part(
            a_spreadsheet({"A1": "code"}),
            SHEET,
            a_sheet(
                "<row>" + "<c><v>1</v></c>" * 5_000 + "</row>"
                "<row r = '1048576'><c><v>2</v></c></row>"
            ),
        ),
    ],
    ids=["the last cell", "small letters", "cells without a place"],
)
def test_a_cell_far_away_is_refused_and_takes_no_memory(sheet: bytes, tmp_path: Path):
    (tmp_path / "cards.xlsx").write_bytes(sheet)
    code, said = read_apart(tmp_path / "cards.xlsx")
    assert (code, said.splitlines()[-1].partition("; ")[0]) == (
        1,
        "cardfiles.records.UnreadableFile: the spreadsheet has cells too far apart, which takes "
        "too much memory",
    )


@pytest.mark.parametrize("formula", ["", "<f>A1</f>"])
def test_a_long_text_that_many_cells_repeat_is_refused_and_takes_no_memory(
    tmp_path: Path, formula: str
):
    cells = "".join(
        f'<row r="{line}"><c r="A{line}" t="s">{formula}<v>1</v></c></row>'
        for line in range(1, 5_001)
    )
    sheet = with_part(a_spreadsheet({"A1": "code"}), SHEET, a_sheet(cells))
    (tmp_path / "cards.xlsx").write_bytes(with_shared_texts(sheet, ["code", "A" * 1_000_000]))
    code, said = read_apart(tmp_path / "cards.xlsx")
    assert (code, said.splitlines()[-1].partition("; ")[0]) == (
        1,
        "cardfiles.records.UnreadableFile: the spreadsheet repeats long texts, which takes too "
        "much memory",
    )


def test_a_long_text_that_few_cells_name_is_read_with_all_others():
    cells = "".join(
        f'<row r="{line}"><c r="A{line}" t="s"><v>{line - 1}</v></c></row>'
        for line in range(1, 2_001)
    )
    sheet = with_part(a_spreadsheet({"A1": "code"}), SHEET, a_sheet(cells))
    texts = ["code", "A" * 1_000_000, *(f"A-{number}" for number in range(1_998))]
    found = read(with_shared_texts(sheet, texts))
    assert [line.line for line in found.refused] == [2]
    assert [record.values[0] for record in found.records] == texts[2:]


@pytest.mark.parametrize("far", ['<c r="XFD1048576" s="1"/>', '<c r="XFD1048576"/>'])
def test_a_format_far_away_is_no_content(far: str):
    rows = '<row r="1"><c r="A1"><v>100</v></c></row><row r="1048576">' + far + "</row>"
    sheet = with_part(a_spreadsheet({"A1": "code"}), SHEET, a_sheet(rows))
    assert codes(sheet) == ["100"]


def test_the_last_line_of_a_sheet_and_a_column_far_to_the_right_are_read():
    assert codes(a_spreadsheet({"A1": "code", "A1048576": "A-1"})) == ["A-1"]
    assert codes(a_spreadsheet({"XFC1": "code", "XFC2": "A-1"})) == ["A-1"]


@pytest.mark.parametrize("part", ["xl/workbook.bin", "content.xml"])
def test_other_formats_of_spreadsheets_are_refused(part: str):
    with pytest.raises(UnreadableFile, match=r"only \.xlsx"):
        read(with_part(a_spreadsheet({"A1": "code", "A2": "A-1"}), part, "<a/>"))


def test_a_damaged_part_is_a_damaged_spreadsheet():
    sheet = bytearray(with_part(a_spreadsheet({"A1": "code"}), SHEET, a_sheet("<row/>" * 500)))
    place = sheet.index(SHEET.encode()) + len(SHEET)
    sheet[place : place + 8] = b"\xff" * 8
    with pytest.raises(UnreadableFile, match="damaged"):
        read(bytes(sheet))
