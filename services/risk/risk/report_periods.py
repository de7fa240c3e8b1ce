"""How long a time a report may be about."""

from datetime import datetime, timedelta

from kit.errors import Invalid

REPORT_MAX = timedelta(days=92)


class ReportTooLong(Invalid):
    """A report is about at most 92 days, and ends after it begins."""

    code = "report_too_long"


def check_period(since: datetime, until: datetime) -> None:
    """Raises ReportTooLong."""
    if not timedelta() < until - since <= REPORT_MAX:
        raise ReportTooLong
