from datetime import timedelta
from ipaddress import ip_address

import pytest

from kit.misses import ADDRESSES_MAX, Misses

HERE, THERE = ip_address("203.0.113.9"), ip_address("203.0.113.10")


@pytest.mark.parametrize("burst", [1, 3, 7, 20, 10_000])
def test_so_many_are_let_through_within_the_minute_and_one_more_has_to_wait(burst: int):
    misses = Misses(burst, timedelta(minutes=1) / burst, lambda: 123_456.789)

    assert [misses.take(HERE) for _ in range(burst)] == [0] * burst
    assert 1 <= misses.take(HERE) <= 60
    assert misses.take(THERE) == 0


def test_what_is_given_back_can_be_taken_again():
    misses = Misses(2, timedelta(seconds=30), lambda: 0.0)

    for _ in range(5):
        misses.take(HERE)
        misses.take(HERE)
        misses.give_back(HERE)
        misses.give_back(HERE)
    assert (misses.take(HERE), misses.take(HERE)) == (0, 0)
    assert misses.take(HERE) > 0


def test_what_is_given_back_of_a_forgotten_address_changes_nothing():
    misses = Misses(1, timedelta(hours=1))
    misses.take(HERE)
    for number in range(ADDRESSES_MAX):
        misses.take(ip_address(number))

    misses.give_back(HERE)

    assert len(misses._paid_until) == ADDRESSES_MAX
    assert misses.take(HERE) == 0
