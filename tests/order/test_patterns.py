"""Merchants' patterns: what they mean, what is refused, and that none can stop the service."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order.patterns import BadPattern, parse

YES = [
    (r"\d{9}", "123456789"),
    (r"^\d{3,5}$", "1234"),
    (r"[A-Z]{2}[0-9]+", "AB7"),
    (r"u?id-.*", "id-x"),
    (r"[a-z0-9._-]{3,20}", "a.b-c_9"),
    (r"asia|europe", "europe"),
    (r"[^@]+@[^@]+", "a@b"),
    (r"a\.b\\", "a.b\\"),
    (r"\w\s\w", "a b"),
    (r"x{2,}", "xxxx"),
    (r"", ""),
]
NO = [
    (r"\d{9}", "12345678"),
    (r"\d{9}", "1234567890"),
    (r"[A-Z]+", "Ab"),
    (r"asia|europe", "asiaeurope"),
    (r"[^@]+@[^@]+", "a@b@c"),
    (r"x{2,}", "x"),
    (r"a.c", "abbc"),
    (r".*", "x" * 101),
]


def test_a_pattern_fits_the_whole_text_or_nothing() -> None:
    assert [case for case in YES if not parse(case[0]).matches(case[1])] == []
    assert [case for case in NO if parse(case[0]).matches(case[1])] == []


@pytest.mark.parametrize(
    "text",
    [
        "(a)", "a**", "[a", "[]", "[z-a]", "a{3,2}", "a{101}", "a{,3}", "a{x}", "a{", r"\b", "\\",
        "a$b", "a^b", "x" * 51, "x" * 201, "a{99999999999}", "+a",
    ],
)  # fmt: skip
def test_what_is_not_in_the_language_is_refused(text: str) -> None:
    with pytest.raises(BadPattern):
        parse(text)


def test_patterns_that_stop_other_engines_take_no_time() -> None:
    evil = ["a*" * 25 + "b", "a{0,100}" * 16 + "b", "[ab]*" * 20 + "c", ".*.*.*.*.*.*.*.*x"]

    began = time.process_time()
    for text in evil:
        assert not parse(text).matches("a" * 100)
    assert time.process_time() - began < 1


ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", ".", r"\d", r"\w", r"\."])
COUNTS = st.sampled_from(["", "?", "*", "+", "{2}", "{1,3}", "{2,}"])
PATTERNS = st.lists(
    st.lists(st.tuples(ATOMS, COUNTS).map("".join), max_size=4).map("".join), min_size=1, max_size=3
).map("|".join)


@given(pattern=PATTERNS, text=st.text("ab1.", max_size=8))
def test_it_says_what_the_standard_library_says(pattern: str, text: str) -> None:
    assert parse(pattern).matches(text) == bool(re.fullmatch(pattern, text))
