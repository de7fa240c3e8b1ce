"""What a channel may take of a shared stock."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory_vault.quotas.domain import Guarantee, QuotaBook

POOL, A, B, C = (UUID(int=number) for number in range(1, 5))


def book(buffer: int = 0, **left: int) -> QuotaBook:
    names = {"a": A, "b": B}
    return QuotaBook({POOL: buffer}, {POOL: {names[name]: units for name, units in left.items()}})


@pytest.mark.parametrize(
    ("channel", "available", "expected"),
    [
        (A, 100, 70),  # its own 30, and of the rest all but the other's 20 and the buffer of 10
        (B, 100, 60),
        (C, 100, 40),
        (None, 100, 40),
        (C, 60, 0),
        (A, 60, 30),
        (A, 30, 30),
        (A, 7, 7),  # the stock shrank: guaranteed channels share what there is, first come
        (B, 7, 7),
        (C, 7, 0),
        (A, 0, 0),
    ],
)
def test_a_channel_may_take_its_guarantee_and_of_the_rest_what_nobody_else_needs(
    channel: UUID | None, available: int, expected: int
):
    assert book(10, a=30, b=20).allowed(POOL, channel, available) == expected


def test_a_pool_without_a_quota_knows_no_limit():
    assert book().allowed(UUID(int=9), A, 5) is None
    assert QuotaBook().allowed(POOL, A, 5) is None


def test_what_is_taken_uses_the_guarantee_up():
    quotas = book(a=30)

    quotas.count(A, quotas.uses(A, [(POOL, 20), (POOL, 5), (UUID(int=9), 4)]))
    quotas.count(C, quotas.uses(C, [(POOL, 5)]))

    assert quotas.left == {POOL: {A: 5}}
    quotas.count(A, [(POOL, 50)])
    assert quotas.left == {POOL: {A: 0}}


def test_more_than_guaranteed_may_be_taken_and_counts():
    assert Guarantee(A, 10, 4).left == 6
    assert Guarantee(A, 10, 14).left == 0


@given(
    st.integers(0, 200),
    st.integers(0, 50),
    st.integers(0, 80),
    st.integers(0, 80),
    st.lists(st.tuples(st.sampled_from([A, B, C]), st.integers(1, 20)), max_size=40),
)
def test_no_order_of_wishes_breaks_a_guarantee_that_the_stock_covers(
    stock: int, buffer: int, a: int, b: int, wishes: list[tuple[UUID, int]]
):
    quotas = book(buffer, a=a, b=b)
    covered = stock >= a + b
    for channel, quantity in wishes:
        allowed = quotas.allowed(POOL, channel, stock) or 0
        own = quotas.left[POOL].get(channel, 0)
        assert allowed <= stock
        assert allowed >= min(own, stock)
        if quantity <= allowed:
            stock -= quantity
            quotas.count(channel, [(POOL, quantity)])
        if channel == C:
            assert quantity > allowed or stock >= sum(quotas.left[POOL].values()) + buffer
        if covered:
            assert stock >= sum(quotas.left[POOL].values())
