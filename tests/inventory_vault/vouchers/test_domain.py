"""The rules of voucher codes, over made-up ones."""

import math
from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory_vault.vouchers.domain import (
    ALPHABET,
    GUESS_ODDS_MAX,
    GUESS_ODDS_MIN,
    QUANTITY_MAX,
    CodeForm,
    check_symbol,
    compact,
    grouped,
    is_valid,
    random_length,
)

symbols = st.sampled_from(ALPHABET)
texts = st.text(symbols, min_size=1, max_size=26)


def test_no_symbol_looks_like_another():
    assert len(ALPHABET) == len(set(ALPHABET)) == 29
    assert not set("0O1ILSU") & set(ALPHABET)


@given(texts)
def test_a_code_with_its_check_symbol_is_valid(text: str):
    assert is_valid(text + check_symbol(text))


@given(texts, st.data())
def test_every_single_wrong_symbol_is_noticed(text: str, data: st.DataObject):
    code = text + check_symbol(text)
    place = data.draw(st.integers(0, len(code) - 1))
    wrong = data.draw(symbols.filter(lambda symbol: symbol != code[place]))

    assert not is_valid(code[:place] + wrong + code[place + 1 :])


@given(texts, st.data())
def test_every_swap_of_two_different_symbols_is_noticed(text: str, data: st.DataObject):
    code = text + check_symbol(text)
    one = data.draw(st.integers(0, len(code) - 1))
    two = data.draw(st.integers(0, len(code) - 1).filter(lambda place: code[place] != code[one]))
    swapped = list(code)
    swapped[one], swapped[two] = code[two], code[one]

    assert not is_valid("".join(swapped))


def test_every_wrong_neighbour_and_swap_of_a_short_code_is_noticed():
    """All of them, not a sample."""
    for first, second in product(ALPHABET, repeat=2):
        code = first + second + check_symbol(first + second)
        for place, wrong in product(range(3), ALPHABET):
            spoiled = code[:place] + wrong + code[place + 1 :]
            assert is_valid(spoiled) == (spoiled == code)
        assert is_valid(code[1] + code[0] + code[2]) == (code[0] == code[1])
        assert is_valid(code[0] + code[2] + code[1]) == (code[1] == code[2])


@pytest.mark.parametrize("code", ["", "2", "ABC0", "ABCO", "äöü", "2\x00", "２３４"])
def test_what_is_no_code_is_not_valid(code: str):
    assert not is_valid(code)


@given(texts, st.sampled_from(["-", " ", "\u2014", " - ", ""]))
def test_how_a_code_is_typed_does_not_matter(text: str, between: str):
    code = text + check_symbol(text)

    assert is_valid(between.join(code.lower()))
    assert compact(between.join(code.lower())) == code


@given(st.integers(1, QUANTITY_MAX), st.integers(GUESS_ODDS_MIN, GUESS_ODDS_MAX))
def test_the_length_is_the_shortest_that_keeps_the_odds(quantity: int, odds: int):
    length = random_length(quantity, odds)

    assert 29**length >= quantity * odds
    assert 29 ** (length - 1) < quantity * odds


@pytest.mark.parametrize(
    ("quantity", "odds", "length"),
    [(1, 29**5, 5), (1, 29**5 + 1, 6), (1_000, 10**12, 11), (1_000_000, 10**15, 15)],
)
def test_the_length_at_the_edges(quantity: int, odds: int, length: int):
    assert random_length(quantity, odds) == length


@given(st.text(symbols, min_size=1, max_size=40))
def test_groups_are_even_and_lose_nothing(text: str):
    groups = grouped(text).split("-")

    assert "".join(groups) == text
    sizes = {len(group) for group in groups}
    assert max(sizes) - min(sizes) <= 1
    assert len(text) < 3 or 3 <= min(sizes) <= max(sizes) <= 5


@given(st.binary(min_size=0, max_size=4_000), st.integers(1, 16), st.sampled_from(["", "VC", "A-"]))
def test_random_bytes_become_valid_codes_of_one_length(random: bytes, length: int, prefix: str):
    form = CodeForm(prefix, length)

    for code in form.codes(random):
        assert is_valid(code)
        assert len(compact(code)) == len(compact(prefix)) + length + 1
        assert code.startswith(prefix)
        assert "--" not in code


def test_each_symbol_is_as_likely_as_any_other():
    """The bytes 0 to 255 once each: what is unfair about them is dropped."""
    form = CodeForm("", 1)

    found = Counter(code[0] for code in form.codes(bytes(range(256))))

    assert found == dict.fromkeys(ALPHABET, 8)


def test_so_many_bytes_give_nearly_always_enough_codes():
    form = CodeForm("", 11)
    count = 10_000
    fair = form.bytes_for(count) * 232 / 256
    deviation = math.sqrt(form.bytes_for(count) * 232 / 256 * 24 / 256)

    assert fair - 6 * deviation > count * form.random_symbols


def test_a_mask_shows_nothing_of_the_random_part():
    assert CodeForm("VC-", 11).mask == "VC-****"
    assert CodeForm("", 11).mask == "****"
