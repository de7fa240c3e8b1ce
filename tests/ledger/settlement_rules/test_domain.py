"""How a price is parted: every rule, every edge, and always the whole."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.ids import new_id
from ledger.settlement_rules.domain import (
    Bearer,
    PayoutDays,
    Terms,
    Tier,
    divide,
    refund_parts,
    rule_for,
)
from tests.ledger.factories import CHANNEL, MERCHANT, OTHER_MERCHANT, PRODUCT
from tests.ledger.settling import BEGINNING, a_rule, sold, terms

amounts = st.integers(min_value=1, max_value=10**12)
rates = st.integers(min_value=0, max_value=10_000)
bearers = st.sampled_from(list(Bearer))


@pytest.mark.parametrize(
    ("gross", "share"), [(1, 0), (9, 0), (10, 1), (29, 1), (30, 2), (1990, 100), (10_000, 500)]
)
def test_a_percentage_is_rounded_half_up(gross: int, share: int):
    parts = divide(terms(basis_points=500), sold(gross))

    assert (parts.share_minor, parts.merchant_minor) == (share, gross - share)


def test_a_fixed_amount_is_for_each_unit_and_adds_to_the_percentage():
    parts = divide(terms(basis_points=290, fixed_minor=30), sold(10_000, quantity=3))

    assert parts.share_minor == 290 + 90
    assert [step.amount_minor for step in parts.steps] == [290, 380]


@pytest.mark.parametrize(
    ("gross", "share"),
    [(100, 20), (400, 20), (1_000, 50), (3_000, 150), (3_001, 150), (9_000, 150)],
)
def test_a_share_has_a_minimum_and_a_maximum(gross: int, share: int):
    given = terms(basis_points=500, share_min_minor=20, share_max_minor=150)

    assert divide(given, sold(gross)).share_minor == share


def test_a_share_is_never_more_than_the_price():
    parts = divide(terms(share_min_minor=500), sold(100))

    assert (parts.share_minor, parts.merchant_minor) == (100, 0)


@pytest.mark.parametrize(
    ("volume", "gross", "share"),
    [(0, 10_000, 500), (90_000, 10_000, 500), (95_000, 10_000, 450), (100_000, 10_000, 400)],
)
def test_each_part_of_a_line_pays_the_tier_it_lies_in(volume: int, gross: int, share: int):
    given = terms(basis_points=500, tiers=(Tier(100_000, 400), Tier(1_000_000, 300)))

    assert divide(given, sold(gross), volume).share_minor == share


def test_a_line_may_cross_all_tiers():
    given = terms(basis_points=1_000, tiers=(Tier(100, 500), Tier(200, 0)))

    parts = divide(given, sold(1_000), 50)

    assert parts.share_minor == 5 + 5
    assert "50" in parts.steps[0].what


@given(
    gross=amounts,
    rate=rates,
    fee=st.integers(0, 10**12),
    quantity=st.integers(1, 50),
    fixed=st.integers(0, 10**6),
    low=st.integers(0, 10**6),
    bearer=bearers,
)
def test_the_parts_are_always_the_whole(
    gross: int, rate: int, fee: int, quantity: int, fixed: int, low: int, bearer: Bearer
):
    given = terms(
        basis_points=rate, fixed_minor=fixed, share_min_minor=low, channel_fee_bearer=bearer
    )

    parts = divide(given, sold(gross, quantity=quantity, fee=fee))

    assert parts.channel_fee_minor + parts.platform_minor + parts.merchant_minor == gross
    assert parts.merchant_minor >= 0


@pytest.mark.parametrize(
    ("bearer", "platform", "merchant"),
    [
        (Bearer.MERCHANT, 1_000, 8_400),
        (Bearer.PLATFORM, 400, 9_000),
        (Bearer.PRO_RATA, 940, 8_460),
    ],
)
def test_a_channels_fee_is_borne_as_agreed(bearer: Bearer, platform: int, merchant: int):
    given = terms(basis_points=1_000, channel_fee_bearer=bearer)

    parts = divide(given, sold(10_000, fee=600))

    assert (parts.platform_minor, parts.merchant_minor) == (platform, merchant)


def test_what_the_channel_leaves_bounds_the_share_of_a_merchant_who_bears_the_fee():
    parts = divide(terms(basis_points=9_000), sold(1_000, fee=300))

    assert (parts.share_minor, parts.merchant_minor) == (700, 0)
    assert parts.steps[-1].what == "at most what the channel fee leaves"


@given(
    gross=amounts,
    rate=rates,
    bearer=bearers,
    cuts=st.lists(st.integers(0, 10_000), max_size=6),
)
def test_refunds_in_parts_take_what_one_refund_would(
    gross: int, rate: int, bearer: Bearer, cuts: list[int]
):
    share = gross * rate // 10_000
    bounds = [0, *sorted(gross * cut // 10_000 for cut in cuts), gross]

    parts = [
        refund_parts(
            bearer,
            gross_minor=gross,
            share_minor=share,
            before_minor=before,
            refund_minor=after - before,
        )
        for before, after in itertools.pairwise(bounds)
    ]

    whole = refund_parts(
        bearer, gross_minor=gross, share_minor=share, before_minor=0, refund_minor=gross
    )
    assert (sum(it[0] for it in parts), sum(it[1] for it in parts)) == whole
    assert sum(whole) == gross


@pytest.mark.parametrize(
    ("bearer", "parts"),
    [(Bearer.MERCHANT, (0, 1_000)), (Bearer.PLATFORM, (1_000, 0)), (Bearer.PRO_RATA, (50, 950))],
)
def test_a_refund_is_borne_as_agreed(bearer: Bearer, parts: tuple[int, int]):
    found = refund_parts(
        bearer, gross_minor=4_000, share_minor=200, before_minor=0, refund_minor=1_000
    )

    assert found == parts


def test_the_most_specific_rule_wins():
    everybody = a_rule(terms(), merchant_id=None)
    merchant = a_rule(terms())
    channel = a_rule(terms(), channel_id=CHANNEL)
    product = a_rule(terms(), product_id=PRODUCT)
    both = a_rule(terms(), channel_id=CHANNEL, product_id=PRODUCT)
    ranked = [both, product, channel, merchant, everybody]

    found = [rule_for(ranked[place:], sold(100)) for place in range(len(ranked))]

    assert found == ranked


def test_rules_of_others_do_not_count():
    others = [
        a_rule(terms(), merchant_id=OTHER_MERCHANT),
        a_rule(terms(), channel_id=new_id()),
        a_rule(terms(), product_id=new_id()),
        a_rule(terms(), currency="USD"),
    ]

    assert rule_for(others, sold(100)) is None


def test_a_version_counts_from_its_moment_on():
    old = a_rule(terms(basis_points=500))
    moment = BEGINNING + timedelta(days=10)
    new = a_rule(terms(basis_points=300), version=2, valid_from=moment)

    assert rule_for([new, old], sold(1, at=moment - timedelta(seconds=1))) == old
    assert rule_for([new, old], sold(1, at=moment)) == new


def test_a_version_that_is_not_enabled_lets_the_wider_rule_decide():
    wide = a_rule(terms(), merchant_id=None)
    narrow = a_rule(terms())
    ended = a_rule(terms(), version=2, is_enabled=False)

    assert rule_for([wide, narrow, ended], sold(1)) == wide
    assert rule_for([narrow, ended], sold(1)) is None


def test_a_payout_is_due_n_days_after_the_last_day_of_its_period():
    friday = datetime(2026, 11, 28, tzinfo=UTC)

    assert Terms(payout_after_days=3).due_on(friday) == date(2026, 11, 30)
    assert Terms(payout_after_days=0).due_on(friday) == date(2026, 11, 27)


@pytest.mark.parametrize(
    ("days", "due"), [(1, date(2026, 11, 30)), (2, date(2026, 12, 1)), (5, date(2026, 12, 4))]
)
def test_business_days_leave_out_weekends(days: int, due: date):
    friday_ends = datetime(2026, 11, 28, tzinfo=UTC)
    given = Terms(payout_after_days=days, payout_days=PayoutDays.BUSINESS)

    assert given.due_on(friday_ends) == due


# October 2026: Thursday and Friday, Monday to Wednesday; and a Saturday.
GOLDEN_WEEK = tuple(date(2026, 10, day) for day in (1, 2, 3, 5, 6, 7))


@pytest.mark.parametrize(
    ("last_day", "days", "due"),
    [
        (date(2026, 9, 29), 1, date(2026, 9, 30)),
        (date(2026, 9, 30), 1, date(2026, 10, 8)),
        (date(2026, 9, 30), 2, date(2026, 10, 9)),
        (date(2026, 9, 29), 2, date(2026, 10, 8)),
        # In the middle of it, and on its last day.
        (date(2026, 10, 3), 1, date(2026, 10, 8)),
        (date(2026, 10, 7), 1, date(2026, 10, 8)),
        (date(2026, 10, 8), 1, date(2026, 10, 9)),
        # As on weekends: T+0 is the day itself.
        (date(2026, 10, 1), 0, date(2026, 10, 1)),
    ],
)
def test_business_days_leave_out_holidays(last_day: date, days: int, due: date):
    given = Terms(payout_after_days=days, payout_days=PayoutDays.BUSINESS, holidays=GOLDEN_WEEK)
    ends = datetime.combine(last_day + timedelta(days=1), datetime.min.time(), UTC)

    assert given.due_on(ends) == due


@pytest.mark.parametrize(
    ("today", "settled_before"),
    [
        (date(2026, 9, 30), date(2026, 9, 30)),
        # All through the week nothing new is due; then all of it at once.
        (date(2026, 10, 1), date(2026, 9, 30)),
        (date(2026, 10, 7), date(2026, 9, 30)),
        (date(2026, 10, 8), date(2026, 10, 8)),
        (date(2026, 10, 9), date(2026, 10, 9)),
    ],
)
def test_what_is_due_waits_for_the_end_of_the_holidays(today: date, settled_before: date):
    given = Terms(payout_days=PayoutDays.BUSINESS, holidays=GOLDEN_WEEK)
    noon = datetime.combine(today, datetime.min.time(), UTC) + timedelta(hours=12)

    found = given.due_period_end(noon)

    assert found == datetime.combine(settled_before, datetime.min.time(), UTC)


def test_holidays_are_days_of_the_rules_time_zone():
    given = Terms(payout_days=PayoutDays.BUSINESS, time_zone="Asia/Shanghai", holidays=GOLDEN_WEEK)
    # 16:00 UTC is midnight in Shanghai: the 30th is over there.
    assert given.due_on(datetime(2026, 9, 30, 16, tzinfo=UTC)) == date(2026, 10, 8)
    assert given.due_on(datetime(2026, 9, 30, 15, 59, tzinfo=UTC)) == date(2026, 10, 8)
    assert given.due_on(datetime(2026, 9, 29, 16, tzinfo=UTC)) == date(2026, 9, 30)
    assert given.due_period_end(datetime(2026, 10, 7, 15, 59, tzinfo=UTC)) == datetime(
        2026, 9, 29, 16, tzinfo=UTC
    )
    assert given.due_period_end(datetime(2026, 10, 7, 16, tzinfo=UTC)) == datetime(
        2026, 10, 7, 16, tzinfo=UTC
    )


@given(
    st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    st.sets(st.dates(date(2026, 1, 1), date(2028, 3, 1)), max_size=40),
    st.integers(min_value=0, max_value=20),
)
def test_so_many_business_days_lie_between_a_day_and_its_due_day(
    last_day: date, holidays: set[date], days: int
):
    terms_ = Terms(
        payout_after_days=days,
        payout_days=PayoutDays.BUSINESS,
        holidays=tuple(sorted(holidays)),
    )
    ends = datetime.combine(last_day + timedelta(days=1), datetime.min.time(), UTC)
    due = terms_.due_on(ends)
    after = (last_day + timedelta(days=it + 1) for it in range((due - last_day).days))
    counted = [day for day in after if day.weekday() < 5 and day not in holidays]
    assert len(counted) == days
    assert not counted or counted[-1] == due


def test_months_and_days_are_those_of_the_rules_time_zone():
    given = Terms(time_zone="Asia/Shanghai")

    assert given.month_of(datetime(2026, 11, 30, 16, 30, tzinfo=UTC)) == date(2026, 12, 1)
    assert given.due_on(datetime(2026, 11, 30, 16, 0, tzinfo=UTC)) == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        # Their clocks go from 0:00 to 1:00 on these days: there is no midnight.
        ("America/Santiago", date(2026, 9, 6)),
        ("Africa/Cairo", date(2026, 4, 24)),
        ("Asia/Beirut", date(2026, 3, 29)),
        # And here from 24:00 back to 23:00: there are two.
        ("America/Santiago", date(2026, 4, 5)),
    ],
)
def test_a_day_that_begins_with_a_change_of_clocks_ends_the_day_before(zone: str, day: date):
    begins = datetime.combine(day, datetime.min.time(), ZoneInfo(zone))
    given = Terms(time_zone=zone, payout_after_days=1)

    assert given.due_on(begins.astimezone(UTC)) == day
    assert given.due_period_end(begins.astimezone(UTC)) == begins.astimezone(UTC)


@pytest.mark.parametrize(("amount", "reserve"), [(-5, 0), (0, 0), (9, 0), (10, 1), (1_000, 50)])
def test_a_reserve_is_rounded_half_up_and_never_of_a_debt(amount: int, reserve: int):
    assert Terms(reserve_basis_points=500).reserve_of(amount) == reserve


def test_sales_of_another_merchant_find_their_own_rule():
    rules = [a_rule(terms()), a_rule(terms(), merchant_id=OTHER_MERCHANT)]

    found = rule_for(rules, sold(1, merchant_id=OTHER_MERCHANT))

    assert found is not None
    assert found.scope.merchant_id == OTHER_MERCHANT
    assert found.scope.merchant_id != MERCHANT
