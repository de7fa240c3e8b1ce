from uuid import UUID

from kit.db import Transaction
from ledger.buyer_reports.domain import LADDER, MONTHS_MAX, WITHIN_DAYS, cohort_rows
from ledger.buyer_reports.repository import BuyerRepository
from ledger.channels.service import ChannelService
from ledger.figures import CHANNEL, Report, Row
from ledger.periods import Bucket, Period, TooManyBuckets


class BuyerService:
    def __init__(self, repository: BuyerRepository, channels: ChannelService) -> None:
        self._repository = repository
        self._channels = channels

    async def cohorts(self, tx: Transaction, merchant_id: UUID, period: Period) -> Report:
        """The months of the zone that the period touches, whole. Raises TooManyBuckets."""
        starts = period.starts(Bucket.MONTH)
        if len(starts) > MONTHS_MAX:
            raise TooManyBuckets
        end = Period.of(starts[-1], period.until, period.zone).end_of_month()
        cells = await self._repository.list_cells(tx, merchant_id, [*starts, end])
        return Report(
            name="cohorts",
            since=starts[0],
            until=end,
            zone=period.zone.key,
            bucket=Bucket.MONTH.value,
            dimensions=["month"],
            columns=["buyers", "orders", "spent", "retention"],
            rows=cohort_rows(cells, starts),
        )

    async def repurchase(
        self, tx: Transaction, merchant_id: UUID, period: Period, *, by_channel: bool
    ) -> Report:
        """Of the buyers who first bought in the period; a channel is that of the first order."""
        found = await self._repository.list_returning(
            tx, merchant_id, period.spans(LADDER), by_channel=by_channel
        )
        groups = [CHANNEL] if by_channel else []
        columns = ["new_buyers"]
        for days in WITHIN_DAYS:
            columns += [f"again_{days}", f"rate_{days}"]
        return Report(
            name="repurchase",
            since=period.since,
            until=period.until,
            zone=period.zone.key,
            dimensions=groups,
            columns=columns,
            rows=[Row(dict.fromkeys(groups, each.channel_id), each.figures()) for each in found],
            channel_names=await self._channels.names(
                tx, merchant_id, {each.channel_id for each in found}
            ),
        )
