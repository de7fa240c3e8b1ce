"""No text of a buyer or a shop is run by the spreadsheet that somebody opens a report with."""

import pytest

from kit.spreadsheets import is_formula


@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\u3000", "\n", "\r\n", "\t", " \t\n "])
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])
def test_a_sign_begins_a_formula_whatever_unseen_stands_before_it(before: str, sign: str):
    assert is_formula(f"{before}{sign}cmd|'/c calc'!A1")


@pytest.mark.parametrize("text", ["\tx", "\rx", "\nx"])
def test_what_begins_with_the_end_of_a_cell_is_guarded_too(text: str):
    assert is_formula(text)


@pytest.mark.parametrize("text", ["", " ", "a=1", "'=1", " a", "1-1", "a\n=1"])
def test_other_texts_are_none(text: str):
    assert not is_formula(text)
