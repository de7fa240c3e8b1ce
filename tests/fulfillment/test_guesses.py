from datetime import timedelta
from ipaddress import ip_address

import pytest

from fulfillment.guesses import Guesses, TooManyGuesses
from kit.misses import ADDRESSES_MAX

HERE, THERE = ip_address("203.0.113.9"), ip_address("203.0.113.10")


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def guesses(hand: Hand) -> Guesses:
    return Guesses(3, timedelta(seconds=2), hand)


def test_so_many_at_once_then_one_per_so_long(guesses: Guesses, hand: Hand) -> None:
    for _ in range(3):
        guesses.miss(HERE)
    with pytest.raises(TooManyGuesses) as limited:
        guesses.miss(HERE)
    assert limited.value.retry_after_seconds == 2
    hand.now += 2
    guesses.miss(HERE)
    with pytest.raises(TooManyGuesses):
        guesses.miss(HERE)


def test_another_address_is_not_held_to_it(guesses: Guesses) -> None:
    for _ in range(3):
        guesses.miss(HERE)
    guesses.miss(THERE)


def test_the_addresses_of_one_ipv6_home_are_one(guesses: Guesses) -> None:
    for last in range(3):
        guesses.miss(ip_address(f"2001:db8::{last}"))
    with pytest.raises(TooManyGuesses):
        guesses.miss(ip_address("2001:db8::ffff:1"))
    guesses.miss(ip_address("2001:db8:0:1::1"))


def test_waiting_gives_everything_back_but_no_more(guesses: Guesses, hand: Hand) -> None:
    for _ in range(2):
        for _ in range(3):
            guesses.miss(HERE)
        with pytest.raises(TooManyGuesses):
            guesses.miss(HERE)
        hand.now += 1_000


def test_it_remembers_so_many_addresses_and_no_more(guesses: Guesses) -> None:
    for number in range(ADDRESSES_MAX + 100):
        guesses.miss(ip_address(number))
    assert len(guesses._paid_until) == ADDRESSES_MAX


def test_callers_of_unknown_origin_share_one_allowance(guesses: Guesses) -> None:
    for _ in range(3):
        guesses.miss(None)
    with pytest.raises(TooManyGuesses):
        guesses.miss(None)
