"""Reports as CSV: nothing runs in the spreadsheet that opens them, and numbers stay numbers."""

import csv
from io import StringIO

import pytest

from ledger.spreadsheet import csv_rows


@pytest.mark.parametrize("text", ["=1", " =1", "\n=1", "\t=1", "\r\n@a", "\u3000+1", "＝1"])
def test_a_text_that_would_run_gets_an_apostrophe(text: str):
    assert list(csv.reader(StringIO(csv_rows([[text]]), newline=""))) == [[f"'{text}"]]


@pytest.mark.parametrize("value", [-5, "-5", "-5.25", "5", "a=1", ""])
def test_a_number_stays_one_and_so_does_a_harmless_text(value: object):
    assert list(csv.reader(StringIO(csv_rows([[value, "x"]])))) == [[str(value), "x"]]
