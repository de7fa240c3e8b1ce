"""Periods of reports: from when to when, in whose days, and how they are cut.

Roll-ups are kept by the quarter hour of UTC, so a period begins and ends at a quarter hour. Days,
weeks and months are those of the asked zone, also where its clocks change.
"""

import calendar
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kit.errors import Invalid

BUCKETS_MAX = 9_000
"""Hours of a year, and some."""
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)


class Bucket(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Step(StrEnum):
    """How long a row of a roll-up is, in UTC; each fits into the next."""

    QUARTER = "quarter"
    HOUR = "hour"
    PART = "part"
    """Four hours."""
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Rung:
    """A grain of a roll-up, and how long its rows are."""

    grain: str
    step: Step


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of one grain that cover a part of a period exactly."""

    grain: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` to before `until`, both in UTC at quarter hours."""

    since: datetime
    until: datetime
    zone: ZoneInfo

    @classmethod
    def of(cls, since: datetime, until: datetime, zone: ZoneInfo) -> "Period":
        """Cut down to quarter hours. Raises PeriodEmpty."""
        since, until = _floor(since), _floor(until)
        if since >= until:
            raise PeriodEmpty
        return cls(since, until, zone)

    @classmethod
    def last_days(cls, days: int, now: datetime, zone: ZoneInfo) -> "Period":
        """Whole days of the zone, with the one that runs."""
        local = _floor_day(now.astimezone(zone).replace(tzinfo=None))
        since = _utc(local - timedelta(days=days - 1), zone)
        return cls.of(since, _utc(local + DAY, zone), zone)

    def previous(self) -> "Period":
        """The one before: as many months when it is whole months, as long by the calendar when it
        is a day or more. Of less than a day, as long by the clock: where clocks are changed an hour
        of the calendar may be none.
        """
        since, until = self._local(self.since), self._local(self.until)
        if _is_month(since) and _is_month(until):
            months = (until.year - since.year) * 12 + until.month - since.month
            earlier = _months_earlier(since, months)
        elif until - since < DAY:
            return Period(self.since - (self.until - self.since), self.since, self.zone)
        else:
            earlier = since - (until - since)
        return Period(_floor(_utc(earlier, self.zone)), self.since, self.zone)

    def starts(self, bucket: Bucket) -> list[datetime]:
        """When each bucket begins; the first may begin before the period. Raises TooManyBuckets."""
        found: list[datetime] = []
        for start in _starts(self, bucket):
            if start >= self.until:
                break
            if not found or start > found[-1]:
                found.append(start)
            if len(found) > BUCKETS_MAX:
                raise TooManyBuckets
        return found

    def end_of_month(self) -> datetime:
        """When the month ends, in the zone, that the period's last moment lies in."""
        last = _floor_day(self._local(self.until - QUARTER)).replace(day=1)
        return _utc(_months_earlier(last, -1), self.zone)

    def spans(
        self,
        ladder: Sequence[Rung],
        bucket: Bucket | None = None,
        within: tuple[int, int] | None = None,
    ) -> list[Span]:
        """What covers the period with the fewest rows of the ladder (the finest first), so that
        no row reaches over the beginning of a bucket. `within`: only from that bucket to that one.
        """
        if bucket is None:
            return _joined(_cover(self.since, self.until, ladder))
        starts = self.starts(bucket)
        first, last = within or (0, len(starts) - 1)
        bounds = [self.bounds_of(starts, at) for at in range(first, min(last + 1, len(starts)))]
        if bucket is Bucket.HOUR and bounds:
            is_whole = not any(at.minute for at in (self.since, self.until, *starts))
            steps = (Step.QUARTER, Step.HOUR) if is_whole else (Step.QUARTER,)
            ladder = [rung for rung in ladder if rung.step in steps]
            bounds = [(bounds[0][0], bounds[-1][1])]
        return _joined(span for since, until in bounds for span in _cover(since, until, ladder))

    def bounds_of(self, starts: Sequence[datetime], index: int) -> tuple[datetime, datetime]:
        """From when to when a bucket is inside the period."""
        until = starts[index + 1] if index + 1 < len(starts) else self.until
        return max(starts[index], self.since), until

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone).replace(tzinfo=None)


@lru_cache(maxsize=700)
def read_zone(name: str) -> ZoneInfo:
    """An IANA time zone. Raises UnknownZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZone(zone=name) from error


def _starts(period: Period, bucket: Bucket) -> Iterator[datetime]:
    local = period.since.astimezone(period.zone).replace(tzinfo=None)
    if bucket is Bucket.HOUR:
        # Along the hours as they pass: one that the clocks repeat is two.
        start = period.since - timedelta(minutes=local.minute)
        while True:
            yield start
            start += timedelta(hours=1)
    local = _floor_day(local)
    if bucket is Bucket.WEEK:
        local -= timedelta(days=local.weekday())
    elif bucket is Bucket.MONTH:
        local = local.replace(day=1)
    while True:
        yield _utc(local, period.zone)
        days = {Bucket.DAY: 1, Bucket.WEEK: 7}.get(bucket)
        local += timedelta(days=days or calendar.monthrange(local.year, local.month)[1])


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)


def _floor(at: datetime) -> datetime:
    at = at.astimezone(UTC)
    return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)


def _floor_day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _cover(since: datetime, until: datetime, ladder: Sequence[Rung]) -> Iterator[Span]:
    """The coarsest rows in the middle, finer ones around them."""
    *finer, coarsest = ladder
    if not finer:
        if since < until:
            yield Span(coarsest.grain, since, until)
        return
    first, last = _ceil_step(since, coarsest.step), _floor_step(until, coarsest.step)
    if first >= last:
        yield from _cover(since, until, finer)
        return
    yield from _cover(since, first, finer)
    yield Span(coarsest.grain, first, last)
    yield from _cover(last, until, finer)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Neighbours of the same grain are one."""
    found: list[Span] = []
    for span in spans:
        if found and found[-1].grain == span.grain and found[-1].until == span.since:
            found[-1] = Span(span.grain, found[-1].since, span.until)
        else:
            found.append(span)
    return found


def _floor_step(at: datetime, step: Step) -> datetime:
    if step is Step.MONTH:
        return _floor_day(at).replace(day=1)
    if step is Step.DAY:
        return _floor_day(at)
    hours = 4 if step is Step.PART else 1
    return at.replace(hour=at.hour - at.hour % hours, minute=0)


def _ceil_step(at: datetime, step: Step) -> datetime:
    floor = _floor_step(at, step)
    if floor == at:
        return floor
    if step is Step.MONTH:
        return (floor + timedelta(days=32)).replace(day=1)
    return floor + timedelta(hours={Step.HOUR: 1, Step.PART: 4}.get(step, 24))


def _is_month(local: datetime) -> bool:
    return local.day == 1 and local == _floor_day(local)


def _months_earlier(local: datetime, months: int) -> datetime:
    number = local.year * 12 + local.month - 1 - months
    return local.replace(year=number // 12, month=number % 12 + 1)


class UnknownZone(Invalid):
    """There is no time zone of this name; use one of IANA's, e.g. Asia/Shanghai."""

    code = "unknown_zone"


class PeriodEmpty(Invalid):
    """`from` must lie before `to`, by a quarter of an hour at least."""

    code = "period_empty"


class TooManyBuckets(Invalid):
    """The period has more than 9,000 of these buckets; ask for longer buckets or less time."""

    code = "too_many_buckets"
