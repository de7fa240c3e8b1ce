from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ledger.periods import (
    Bucket,
    Grain,
    Period,
    PeriodEmpty,
    TooManyBuckets,
    UnknownZone,
    read_zone,
)


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
    spans = _period(_utc(2026, 1, 30, 16), _utc(2026, 4, 2, 0, 45)).spans()

    assert [(it.grain, it.since, it.until) for it in spans] == [
        (Grain.QUARTER, _utc(2026, 1, 30, 16), _utc(2026, 1, 31)),
        (Grain.DAY, _utc(2026, 1, 31), _utc(2026, 2, 1)),
        (Grain.MONTH, _utc(2026, 2, 1), _utc(2026, 4, 1)),
        (Grain.DAY, _utc(2026, 4, 1), _utc(2026, 4, 2)),
        (Grain.QUARTER, _utc(2026, 4, 2), _utc(2026, 4, 2, 0, 45)),
    ]


@pytest.mark.parametrize("hours", [1, 20, 50, 24 * 31, 24 * 70])
def test_spans_have_no_gap_and_no_overlap(hours: int):
    for shift in range(0, 24 * 60, 450):
        since = _utc(2026, 1, 15) + timedelta(minutes=shift)
        period = _period(since, since + timedelta(hours=hours))
        spans = period.spans()

        assert spans[0].since == period.since
        assert spans[-1].until == period.until
        assert all(one.until == two.since for one, two in pairwise(spans))


def test_whole_months_are_compared_with_as_many_months():
    march = _period(_utc(2026, 2, 28, 16), _utc(2026, 3, 31, 16), "Asia/Shanghai")

    assert march.previous().since == _utc(2026, 1, 31, 16)
    assert march.previous().until == march.since


def test_other_periods_are_compared_with_as_many_days_of_the_zone():
    week = _period(_utc(2026, 3, 26, 23), _utc(2026, 4, 1, 22), "Europe/Berlin")

    assert week.previous().since == _utc(2026, 3, 20, 23)


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
