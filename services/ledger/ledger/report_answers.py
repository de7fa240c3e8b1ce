"""How reports go over the wire: JSON, or CSV that a spreadsheet opens without running anything."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Field

from kit.http import Model, Timestamp
from kit.paging import BadCursor, PageRequest, next_cursor_of, page_request
from ledger.figures import DEFINITIONS, Number, Report, Row
from ledger.periods import Period, read_zone
from ledger.spreadsheet import csv_rows

CSV_ROWS_MAX = 100_000
DAYS_DEFAULT = 30
_OFFSET_MAX = 100_000
_ROWS_TOGETHER = 500
CSV_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "description": "JSON, or CSV in UTF-8 with `format=csv`",
    }
}


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"


class RowRead(Model):
    """Figures in minor units and numbers; `previous` those of the period before, when asked for."""

    groups: dict[str, str | None] = Field(description="by dimension; null: has none")
    channel_name: str | None = Field(
        description="of the channel in `groups`, as its last order told it"
    )
    at: datetime | None = Field(description="when the bucket begins")
    currency: str | None
    figures: dict[str, Number]
    previous: dict[str, Number] | None
    postings: str | None = Field(
        description="what the money is made of; add `&figure=sales` for one figure"
    )

    @classmethod
    def from_domain(cls, row: Row, channel_name: str | None = None) -> "RowRead":
        return cls(
            groups=dict(row.groups),
            channel_name=channel_name,
            at=row.at,
            currency=row.currency,
            figures=dict(row.figures),
            previous=None if row.previous is None else dict(row.previous),
            postings=row.postings,
        )


class ReportRead(Model):
    """A report. Each currency stands by itself; `definitions` say what each figure is."""

    report: str
    from_at: datetime | None = Field(serialization_alias="from")
    to: datetime | None
    zone: str
    bucket: str | None
    previous_from: datetime | None
    group_by: list[str]
    items: list[RowRead]
    totals: list[RowRead] = Field(description="of all groups and buckets, by currency")
    definitions: dict[str, str]
    next_cursor: str | None

    @classmethod
    def from_domain(cls, report: Report, next_cursor: str | None) -> "ReportRead":
        return cls(
            report=report.name,
            from_at=report.since,
            to=report.until,
            zone=report.zone,
            bucket=report.bucket,
            previous_from=report.previous_since,
            group_by=list(report.dimensions),
            items=[RowRead.from_domain(row, report.channel_name(row)) for row in report.rows],
            totals=[RowRead.from_domain(row) for row in report.totals],
            definitions={name: DEFINITIONS[name] for name in report.columns},
            next_cursor=next_cursor,
        )


class Paper:
    """How much of a report is asked for, and in which form."""

    def __init__(self, asked: Format, page: PageRequest) -> None:
        self.is_csv = asked is Format.CSV
        after = page.after_as(int)
        self.offset = 0 if self.is_csv or after is None else int(after[0])
        if not 0 <= self.offset <= _OFFSET_MAX:
            raise BadCursor
        self.limit = CSV_ROWS_MAX if self.is_csv else page.limit

    def answer(self, report: Report) -> Response:
        if self.is_csv:
            headers = {"Content-Disposition": f'attachment; filename="{report.name}.csv"'}
            return StreamingResponse(
                csv_of(report), media_type="text/csv; charset=utf-8", headers=headers
            )
        cursor = next_cursor_of([self.offset + self.limit]) if report.has_more else None
        read = ReportRead.from_domain(report, cursor)
        return JSONResponse(read.model_dump(mode="json", by_alias=True))


def paper(
    page: Annotated[PageRequest, Depends(page_request)],
    asked: Annotated[Format, Query(alias="format", description="csv: all rows")] = Format.JSON,
) -> Paper:
    return Paper(asked, page)


def period(
    request: Request,
    since: Annotated[
        Timestamp | None, Query(alias="from", description="30 days before `to` if left out")
    ] = None,
    until: Annotated[
        Timestamp | None, Query(alias="to", description="before this moment; else the day's end")
    ] = None,
    zone: Annotated[
        str, Query(max_length=60, description="IANA time zone of days, weeks and months")
    ] = "UTC",
) -> Period:
    """Raises UnknownZone, PeriodEmpty."""
    named = read_zone(zone)
    latest = Period.last_days(DAYS_DEFAULT, request.app.state.clock.now(), named)
    if since is None and until is None:
        return latest
    until = until or latest.until
    if since is None:
        since = until - (latest.until - latest.since)
    return Period.of(since, until, named)


Papers = Annotated[Paper, Depends(paper)]
Periods = Annotated[Period, Depends(period)]


def csv_of(report: Report) -> Iterator[bytes]:
    """Piece by piece."""
    is_compared = any(row.previous is not None for row in report.rows)
    before = [f"previous_{name}" for name in report.columns] if is_compared else []
    named = ["channel_name"] if report.names_channels else []
    head = [
        *(["at"] if report.bucket else []),
        *report.dimensions,
        *named,
        "currency",
        *report.columns,
    ]
    yield csv_rows([[*head, *before, "postings"]]).encode()
    for start in range(0, len(report.rows), _ROWS_TOGETHER):
        rows = report.rows[start : start + _ROWS_TOGETHER]
        cells = (_cells(report, row, is_compared=is_compared) for row in rows)
        yield csv_rows(cells).encode()


def _cells(report: Report, row: Row, *, is_compared: bool) -> list[object]:
    at = [row.at.astimezone(UTC).isoformat().replace("+00:00", "Z")] if row.at else []
    groups = [row.groups.get(name) or "" for name in report.dimensions]
    named = [report.channel_name(row) or ""] if report.names_channels else []
    figures = [_number(row.figures.get(name)) for name in report.columns]
    previous = row.previous or {}
    before = [_number(previous.get(name)) for name in report.columns] if is_compared else []
    return [*at, *groups, *named, row.currency or "", *figures, *before, row.postings or ""]


def _number(value: Number) -> object:
    return "" if value is None else value
