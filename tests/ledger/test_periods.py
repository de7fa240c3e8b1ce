from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ledger.periods import (
    Bucket,
    Period,
    PeriodEmpty,
    Rung,
    Step,
    TooManyBuckets,
    UnknownZone,
    read_zone,
)

LADDER = tuple(Rung(step.value, step) for step in Step)
CALENDAR = tuple(rung for rung in LADDER if rung.step in (Step.QUARTER, Step.DAY, Step.MONTH))


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]  # year, month, day ...


def _period(since: datetime, until: datetime, zone: str = "UTC") -> Period:
    return Period.of(since, until, read_zone(zone))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize("bucket", list(Bucket))
def test_buckets_begin_where_the_zone_says(zone: str, bucket: Bucket):
    period = _period(_utc(2026, 2, 27, 3, 20), _utc(2026, 4, 2), zone)

    starts = period.starts(bucket)

    assert starts == sorted(set(starts))
    assert starts[0] <= period.since < starts[1]
    for start in starts:
        local = start.astimezone(period.zone)
        assert local.minute == 0
        assert bucket is Bucket.HOUR or local.hour == 0
        assert bucket is not Bucket.WEEK or local.weekday() == 0
        assert bucket is not Bucket.MONTH or local.day == 1


def test_a_day_on_which_the_clocks_change_has_23_or_25_hours():
    spring = _period(_utc(2026, 3, 28, 23), _utc(2026, 3, 29, 22), "Europe/Berlin")
    autumn = _period(_utc(2026, 10, 24, 22), _utc(2026, 10, 25, 23), "Europe/Berlin")

    assert len(spring.starts(Bucket.HOUR)) == 23
    assert len(autumn.starts(Bucket.HOUR)) == 25
    assert len(spring.starts(Bucket.DAY)) == len(autumn.starts(Bucket.DAY)) == 1


def test_spans_cover_a_period_once_with_the_coarsest_rows():
    spans = _period(_utc(2026, 1, 30, 16), _utc(2026, 4, 2, 0, 45)).spans(CALENDAR)

    assert [(it.grain, it.since, it.until) for it in spans] == [
        ("quarter", _utc(2026, 1, 30, 16), _utc(2026, 1, 31)),
        ("day", _utc(2026, 1, 31), _utc(2026, 2, 1)),
        ("month", _utc(2026, 2, 1), _utc(2026, 4, 1)),
        ("day", _utc(2026, 4, 1), _utc(2026, 4, 2)),
        ("quarter", _utc(2026, 4, 2), _utc(2026, 4, 2, 0, 45)),
    ]


def test_days_of_a_zone_are_made_of_parts_of_days():
    period = _period(_utc(2026, 1, 30, 16), _utc(2026, 2, 1, 17), "Asia/Shanghai")

    spans = period.spans(LADDER, Bucket.DAY)

    assert [(it.grain, it.since, it.until) for it in spans] == [
        ("part", _utc(2026, 1, 30, 16), _utc(2026, 2, 1, 16)),
        ("hour", _utc(2026, 2, 1, 16), _utc(2026, 2, 1, 17)),
    ]


@pytest.mark.parametrize("hours", [1, 20, 50, 24 * 31, 24 * 70])
@pytest.mark.parametrize("ladder", [LADDER, CALENDAR, LADDER[:1]])
def test_spans_have_no_gap_and_no_overlap(hours: int, ladder: tuple[Rung, ...]):
    for shift in range(0, 24 * 60, 450):
        since = _utc(2026, 1, 15) + timedelta(minutes=shift)
        period = _period(since, since + timedelta(hours=hours), "Asia/Kathmandu")
        for bucket in (None, *Bucket):
            spans = period.spans(ladder, bucket)

            assert spans[0].since == period.since
            assert spans[-1].until == period.until
            assert all(one.until == two.since for one, two in pairwise(spans))
            assert all(one.grain != two.grain for one, two in pairwise(spans))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize("bucket", [Bucket.DAY, Bucket.WEEK, Bucket.MONTH])
def test_no_row_reaches_over_the_beginning_of_a_bucket(zone: str, bucket: Bucket):
    period = _period(_utc(2026, 2, 3, 4, 15), _utc(2026, 4, 20, 9), zone)
    lasts = {"quarter": 0.25, "hour": 1, "part": 4, "day": 24}

    for span in period.spans(LADDER, bucket):
        for start in period.starts(bucket)[1:]:
            if span.since < start < span.until:
                assert span.grain != "month"
                assert start.timestamp() % (lasts[span.grain] * 3600) == 0


def test_whole_months_are_compared_with_as_many_months():
    march = _period(_utc(2026, 2, 28, 16), _utc(2026, 3, 31, 16), "Asia/Shanghai")

    assert march.previous().since == _utc(2026, 1, 31, 16)
    assert march.previous().until == march.since


def test_other_periods_are_compared_with_as_many_days_of_the_zone():
    week = _period(_utc(2026, 3, 26, 23), _utc(2026, 4, 1, 22), "Europe/Berlin")

    assert week.previous().since == _utc(2026, 3, 20, 23)


@pytest.mark.parametrize(
    ("zone", "since", "until"),
    [
        ("America/New_York", _utc(2026, 11, 1, 5), _utc(2026, 11, 1, 6)),
        ("America/New_York", _utc(2026, 11, 1, 5, 45), _utc(2026, 11, 1, 6, 15)),
        ("America/New_York", _utc(2026, 3, 8, 7), _utc(2026, 3, 8, 8)),
        ("Australia/Lord_Howe", _utc(2026, 4, 4, 14, 30), _utc(2026, 4, 4, 15)),
    ],
)
def test_a_part_of_a_day_is_compared_with_as_long_where_clocks_are_changed(
    zone: str, since: datetime, until: datetime
):
    before = _period(since, until, zone).previous()

    assert (before.since, before.until) == (since - (until - since), since)


def test_the_day_that_clocks_are_changed_on_is_compared_with_the_day_before():
    short = _period(_utc(2026, 3, 8, 5), _utc(2026, 3, 9, 4), "America/New_York")

    assert (short.previous().since, short.previous().until) == (_utc(2026, 3, 7, 5), short.since)


def test_the_last_days_end_with_the_day_that_runs():
    period = Period.last_days(2, _utc(2026, 3, 1, 17), read_zone("Asia/Shanghai"))

    assert period.since == _utc(2026, 2, 28, 16)
    assert period.until == _utc(2026, 3, 2, 16)


def test_what_is_no_period_is_refused():
    with pytest.raises(PeriodEmpty):
        _period(_utc(2026, 1, 1, 0, 3), _utc(2026, 1, 1, 0, 14))
    with pytest.raises(UnknownZone):
        read_zone("Mars/Olympus")
    with pytest.raises(UnknownZone):
        read_zone("../etc/passwd")
    with pytest.raises(TooManyBuckets):
        _period(_utc(2020, 1, 1), _utc(2026, 1, 1)).starts(Bucket.HOUR)
