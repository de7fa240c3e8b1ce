"""The reports page: what it shows, of when, in which language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ledger.figures import Report, Row
from ledger.periods import Bucket, Period

DAYS = (7, 30, 90, 365)
ZONES = (
    "UTC",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Asia/Singapore",
    "Asia/Kolkata",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Los_Angeles",
)


class Language(StrEnum):
    ENGLISH = "en"
    CHINESE = "zh"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader has chosen above the page."""

    language: Language
    days: int
    zone: str
    currency: str | None


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure per bucket, zeros where nothing was."""

    starts: Sequence[datetime]
    bucket: Bucket
    values: Mapping[str, Sequence[int]]
    previous: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Board:
    """All that the page shows, in one currency."""

    period: Period
    currency: str
    currencies: Sequence[str]
    total: Row | None
    trend: Trend
    best: Report
    channels: Report
    peaks: Report
    returning: Report
    cohorts: Report
    ageing: Report
    dead_codes: Report


def choose_language(asked: str | None, accepted: str | None) -> Language:
    """The one asked for, else Chinese for a browser that wants it first, else English."""
    if asked in set(Language):
        return Language(asked)
    first = (accepted or "").split(",")[0].strip().lower()
    return Language.CHINESE if first.startswith("zh") else Language.ENGLISH


def bucket_for(days: int) -> Bucket:
    """About thirty to ninety points."""
    if days <= 2:
        return Bucket.HOUR
    return Bucket.DAY if days <= 92 else Bucket.WEEK


def filled(report: Report, starts: Sequence[datetime], currency: str) -> dict[str, list[int]]:
    """Each figure per bucket, in the order of time."""
    places = {start: place for place, start in enumerate(starts)}
    values = {name: [0] * len(starts) for name in report.columns}
    for row in report.rows:
        if row.at in places and row.currency == currency:
            for name in report.columns:
                values[name][places[row.at]] = int(row.figures[name] or 0)
    return values
