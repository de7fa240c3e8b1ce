"""Tiers that contradict themselves are refused when they are saved."""

from datetime import UTC, datetime, timedelta

import pytest

from kit.money import share_out
from order.price_rules.domain import (
    BadTiers,
    FloorTerms,
    Ladder,
    Scope,
    Tier,
    TiersRise,
    divided,
    taken_off,
)


def test_tiers_are_sorted_when_they_are_checked():
    ladder = Ladder(price=1000, tiers=(Tier(50, price=800), Tier(10, price=900)))

    assert [tier.min_quantity for tier in ladder.checked().tiers] == [10, 50]


@pytest.mark.parametrize(
    "ladder",
    [
        Ladder(price=1000, tiers=(Tier(10, price=1001),)),
        Ladder(price=1000, tiers=(Tier(10, price=900), Tier(20, basis_points_off=900))),
        Ladder(basis_points_off=500, tiers=(Tier(10, basis_points_off=400),)),
    ],
)
def test_a_unit_that_gets_dearer_with_the_quantity_is_refused(ladder: Ladder):
    with pytest.raises(TiersRise):
        ladder.checked()


def test_rising_tiers_are_kept_when_that_is_meant():
    ladder = Ladder(price=1000, tiers=(Tier(10, price=1100),), allow_rising=True)

    assert ladder.checked().unit_price(5, 10) == 1100


@pytest.mark.parametrize(
    "ladder",
    [
        Ladder(price=1000, tiers=(Tier(10, price=900), Tier(10, price=800))),
        Ladder(basis_points_off=500, tiers=(Tier(10, price=900),)),
    ],
)
def test_tiers_that_contradict_each_other_are_refused(ladder: Ladder):
    with pytest.raises(BadTiers):
        ladder.checked()


@pytest.mark.parametrize(
    ("amount", "by", "expected"), [(5, 2, 2), (7, 2, 4), (6, 4, 2), (10, 4, 2), (0, 3, 0)]
)
def test_division_rounds_half_to_even(amount: int, by: int, expected: int):
    assert divided(amount, by) == expected


def test_a_share_off_is_exact_where_it_can_be():
    assert taken_off(1990, 0) == 1990
    assert taken_off(1990, 1000) == 1791
    assert taken_off(1990, 10_000) == 0


def test_shares_sum_up_and_serve_the_largest_remainders():
    assert share_out(100, [1, 1, 1]) == [34, 33, 33]
    assert share_out(7, [50, 30, 20]) == [4, 2, 1]
    assert share_out(5, [0, 0]) == [3, 2]
    assert share_out(0, [3, 4]) == [0, 0]


def test_a_floor_is_the_higher_of_share_and_amount():
    assert FloorTerms(basis_points=500, amount=30).floor(1000) == 1050
    assert FloorTerms(basis_points=500, amount=80).floor(1000) == 1080
    assert FloorTerms(basis_points=1).floor(999) == 1000  # rounded up: never below the share


def test_the_next_change_of_a_rule_is_its_begin_or_its_end():
    now = datetime(2026, 11, 27, tzinfo=UTC)
    begin, end = now + timedelta(hours=1), now + timedelta(hours=2)
    scope = Scope(valid_from=begin, valid_to=end)

    assert scope.next_change(now) == begin
    assert scope.next_change(begin) == end
    assert scope.next_change(end) is None
