from datetime import UTC, datetime, timedelta
from uuid import UUID

from kit.db import Transaction
from ledger.figures import Report
from ledger.goods_reports.repository import GoodsRepository
from ledger.periods import Period

SUPPLIERS_MAX = 1_000
_DAY = timedelta(days=1)


class GoodsService:
    def __init__(self, repository: GoodsRepository) -> None:
        self._repository = repository

    async def stock(
        self, tx: Transaction, merchant_id: UUID, now: datetime, *, within_days: int | None,
        limit: int, offset: int,
    ) -> Report:  # fmt: skip
        """Lots on the shelf, the oldest first; `within_days`: only those that expire so soon."""
        expiring = None if within_days is None else now + timedelta(days=within_days)
        found = await self._repository.list_lots(
            tx, merchant_id, expiring=expiring, limit=limit + 1, offset=offset
        )
        return Report(
            name="stock",
            since=None,
            until=None,
            zone="UTC",
            dimensions=["lot", "supplier"],
            columns=["value", "age_days", "expires_days"],
            rows=[lot.row(now) for lot in found[:limit]],
            has_more=len(found) > limit,
        )

    async def ageing(self, tx: Transaction, merchant_id: UUID, now: datetime) -> Report:
        """What the shelf is worth by age, and by how soon it expires."""
        groups = await self._repository.list_groups(tx, merchant_id, now)
        return Report(
            name="stock-ageing",
            since=None,
            until=None,
            zone="UTC",
            dimensions=["kind", "days"],
            columns=["lots", "value"],
            rows=[group.row() for group in groups],
        )

    async def dead_codes(self, tx: Transaction, merchant_id: UUID) -> Report:
        """By supplier, the most dead codes first."""
        found = await self._repository.list_quality(tx, merchant_id, limit=SUPPLIERS_MAX)
        return Report(
            name="dead-codes",
            since=None,
            until=None,
            zone="UTC",
            dimensions=["supplier"],
            columns=["sold", "dead", "dead_rate"],
            rows=[each.row() for each in found],
        )

    async def baskets(
        self, tx: Transaction, merchant_id: UUID, period: Period, *, product_id: UUID | None,
        limit: int, offset: int,
    ) -> Report:  # fmt: skip
        """Pairs of products in the same order, the most often first; by whole days of UTC."""
        since = period.since.astimezone(UTC).date()
        until = (period.until - timedelta(microseconds=1)).astimezone(UTC).date() + _DAY
        found = await self._repository.list_pairs(
            tx, merchant_id, since, until, product_id=product_id, limit=limit + 1, offset=offset
        )
        return Report(
            name="baskets",
            since=datetime.combine(since, datetime.min.time(), UTC),
            until=datetime.combine(until, datetime.min.time(), UTC),
            zone="UTC",
            dimensions=["product", "with"],
            columns=["orders", "first_orders", "second_orders", "confidence", "lift"],
            rows=[pair.row() for pair in found[:limit]],
            has_more=len(found) > limit,
        )
