"""CSV that people open in a spreadsheet."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from kit.spreadsheets import is_formula


def csv_rows(rows: Iterable[Sequence[object]]) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front; a number,
    also a negative one, stays a number.
    """
    text = StringIO()
    csv.writer(text).writerows([_harmless(value) for value in row] for row in rows)
    return text.getvalue()


def _harmless(value: object) -> object:
    if not isinstance(value, str) or not is_formula(value):
        return value
    is_number = value.lstrip("-").replace(".", "", 1).isdigit()
    return value if is_number else f"'{value}"
