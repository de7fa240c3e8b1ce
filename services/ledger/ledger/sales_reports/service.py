from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.db import Transaction
from ledger.channels.service import ChannelService
from ledger.figures import CHANNEL, Number, Report, Row
from ledger.periods import Bucket, Period
from ledger.rollups.domain import COUNTS
from ledger.sales_reports.domain import (
    Dimension,
    Question,
    SortUnknown,
    Sum,
    figures_of,
    postings_link,
    time_hours,
)
from ledger.sales_reports.repository import SalesRepository

ROWS_MAX = 100_000
"""Of a CSV, and of a previous period that is compared."""
TOTALS_MAX = 200
"""Currencies."""


class SalesService:
    def __init__(self, repository: SalesRepository, channels: ChannelService) -> None:
        self._repository = repository
        self._channels = channels

    async def report(
        self,
        tx: Transaction,
        name: str,
        question: Question,
        columns: Sequence[str],
        *,
        is_compared: bool,
        limit: int,
        offset: int = 0,
    ) -> Report:
        """`limit` rows and totals per currency; each currency stands by itself. Raises
        SortUnknown, TooManyBuckets.
        """
        if question.is_about_goods:
            columns = [column for column in columns if column not in COUNTS]
        if question.sort in COUNTS and question.is_about_goods:
            raise SortUnknown(sort=question.sort)
        found = await self._repository.list_sums(tx, question, limit=limit + 1, offset=offset)
        before = await self._before(tx, question, found[:limit]) if is_compared else None
        totals = await self._totals(tx, question, columns, is_compared=is_compared)
        rows = _rows(question, found[:limit], columns, before)
        ids = {row.groups.get(CHANNEL) for row in rows}
        return Report(
            name=name,
            since=question.period.since,
            until=question.period.until,
            zone=question.period.zone.key,
            dimensions=[dimension.value for dimension in question.dimensions],
            columns=columns,
            rows=rows,
            totals=totals,
            previous_since=question.period.previous().since if is_compared else None,
            bucket=question.bucket.value if question.bucket else None,
            has_more=len(found) > limit,
            channel_names=await self._channels.names(tx, question.merchant_id, ids),
        )

    async def peaks(
        self, tx: Transaction, merchant_id: UUID, period: Period, channel_id: UUID | None
    ) -> Report:
        """Orders paid by weekday and hour of the zone."""
        starts = [period.since, period.until, *period.starts(Bucket.DAY)]
        hours = time_hours({Dimension.CHANNEL} if channel_id else ())
        grain = "quarter" if any(at.minute for at in starts) else hours.grain
        found = await self._repository.list_peaks(
            tx, merchant_id, period.since, period.until, period.zone.key, channel_id, grain
        )
        rows = [
            Row({"weekday": str(weekday), "hour": str(hour)}, {"paid": paid, "units": units})
            for weekday, hour, paid, units in found
            if paid or units
        ]
        return Report(
            name="peak-hours",
            since=period.since,
            until=period.until,
            zone=period.zone.key,
            dimensions=["weekday", "hour"],
            columns=["paid", "units"],
            rows=rows,
        )

    async def _before(
        self, tx: Transaction, question: Question, shown: Sequence[Sum]
    ) -> Mapping[object, Sum]:
        """The period before, of the buckets that are shown."""
        if not shown:
            return {}
        buckets = [sum_.bucket for sum_ in shown]
        within = (min(buckets), max(buckets)) if question.bucket else None
        earlier = question.of_previous(within)
        sums = await self._repository.list_sums(tx, earlier, limit=ROWS_MAX)
        return {sum_.key: sum_ for sum_ in sums}

    async def _totals(
        self, tx: Transaction, question: Question, columns: Sequence[str], *, is_compared: bool
    ) -> list[Row]:
        whole = question.without_groups()
        found = await self._repository.list_sums(tx, whole, limit=TOTALS_MAX)
        before: Mapping[object, Sum] | None = None
        if is_compared:
            sums = await self._repository.list_sums(tx, whole.of_previous(), limit=TOTALS_MAX)
            before = {sum_.key: sum_ for sum_ in sums}
        return _rows(whole, found, columns, before)


def _rows(
    question: Question,
    found: Sequence[Sum],
    columns: Sequence[str],
    before: Mapping[object, Sum] | None,
) -> list[Row]:
    period = question.period
    starts = period.starts(question.bucket) if question.bucket else [period.since]
    rows = []
    for sum_ in found:
        since, until = period.bounds_of(starts, sum_.bucket)
        names = [dimension.value for dimension in question.dimensions]
        rows.append(
            Row(
                groups=dict(zip(names, sum_.groups, strict=True)),
                figures=figures_of(sum_.sums, columns),
                at=starts[sum_.bucket] if question.bucket else None,
                currency=sum_.currency or None,
                previous=None if before is None else _previous(sum_, before, columns),
                postings=postings_link(question, sum_.groups, since, until, sum_.currency),
            )
        )
    return rows


def _previous(sum_: Sum, before: Mapping[object, Sum], columns: Sequence[str]) -> dict[str, Number]:
    """Of a group that was not there before: zeros."""
    earlier = before.get(sum_.key)
    sums = earlier.sums if earlier else dict.fromkeys(sum_.sums, 0)
    return figures_of(sums, columns)
