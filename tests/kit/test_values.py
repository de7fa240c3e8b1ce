import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Limited, NotFound
from kit.ids import new_id
from kit.money import CurrencyMismatch, Money
from kit.paging import BadCursor, page_of, page_request


def test_ids_are_uuid7_of_this_moment_and_distinct():
    before = time.time_ns() // 1_000_000
    ids = [new_id() for _ in range(10_000)]
    after = time.time_ns() // 1_000_000

    assert ids == sorted(set(ids))
    assert all(i.version == 7 and i.variant == "specified in RFC 4122" for i in ids)
    assert all(before <= i.int >> 80 <= after for i in ids)


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), st.integers(0, 1000))
def test_money_adds_and_multiplies_exactly(a: int, b: int, n: int):
    total = (Money(a, "CNY") + Money(b, "CNY")) * n

    assert total == Money((a + b) * n, "CNY")


def test_money_of_two_currencies_does_not_add():
    with pytest.raises(CurrencyMismatch):
        Money(1, "CNY") + Money(1, "USD")


def test_an_error_takes_its_text_from_its_docstring_and_keeps_its_fields():
    assert NotFound().detail == "There is no such thing, or it is not yours."
    assert Limited("slow", retry_after_seconds=7, limit=3).fields == {"limit": 3}


def test_a_page_names_its_next_and_the_last_page_names_none():
    request = page_request(limit=2)
    page = page_of([1, 2, 3], request, read=str, position=lambda row: [row])
    assert page.items == ["1", "2"]
    assert page.next_cursor is not None

    following = page_request(limit=2, cursor=page.next_cursor)
    assert following.after_as(int) == (2,)
    assert page_of([3], following, read=str, position=lambda row: [row]).next_cursor is None


@pytest.mark.parametrize("cursor", ["x", "%%%", "bnVsbA", "WzFd.", "W10", "WyJhIl0"])
def test_a_foreign_cursor_is_refused(cursor: str):
    with pytest.raises(BadCursor):
        page_request(limit=2, cursor=cursor).after_as(UUID)
