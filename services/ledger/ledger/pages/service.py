from datetime import timedelta
from uuid import UUID

from kit.addresses import Address, is_within, read_network
from kit.db import Transaction
from kit.errors import Unauthenticated
from ledger.buyer_reports.domain import COHORT_DAYS
from ledger.buyer_reports.service import BuyerService
from ledger.figures import Report
from ledger.goods_reports.service import GoodsService
from ledger.pages.domain import Board, Choice, Trend, bucket_for, filled
from ledger.pages.repository import PageRepository
from ledger.periods import Bucket, Period
from ledger.rollups.domain import OF_PLACED
from ledger.sales_reports.domain import Dimension, Question
from ledger.sales_reports.service import SalesService
from ledger.sessions import Session

_TOTALS = (
    "placed", "paid", "units", "net_sales", "refunds", "cost", "fees", "margin", "margin_rate",
    *OF_PLACED,
)  # fmt: skip
_TREND = ("net_sales", "margin", "paid")
_BEST = ("units", "net_sales", "margin", "margin_rate")


class PageService:
    def __init__(
        self,
        repository: PageRepository,
        sales: SalesService,
        buyers: BuyerService,
        goods: GoodsService,
    ) -> None:
        self._repository = repository
        self._sales = sales
        self._buyers = buyers
        self._goods = goods

    async def check(self, tx: Transaction, session: Session, address: Address | None) -> UUID:
        """Whose reports they are. Raises Unauthenticated once the key is not good for it."""
        found = await self._repository.find_key(tx, session.key_id)
        if found is None or found[0] != session.merchant_id:
            raise Unauthenticated
        if found[1] and not is_within(address, [read_network(each) for each in found[1]]):
            raise Unauthenticated
        return session.merchant_id

    async def board(
        self, tx: Transaction, merchant_id: UUID, period: Period, choice: Choice
    ) -> Board:
        whole = await self._report(tx, _question(merchant_id, period), "totals", _TOTALS, 1)
        # Those with the most paid orders first; orders without money have no currency.
        totals = [row for row in whole.totals if row.currency]
        totals.sort(key=lambda row: -(row.figures["paid"] or 0))
        currencies = [row.currency or "" for row in totals]
        currency = choice.currency if choice.currency in currencies else None
        currency = currency or (currencies[0] if currencies else "")
        goods = _question(merchant_id, period, Dimension.SKU)
        channels = _question(merchant_id, period, Dimension.CHANNEL)
        year = Period.of(period.until - timedelta(days=COHORT_DAYS), period.until, period.zone)
        now = period.until
        return Board(
            period=period,
            currency=currency,
            currencies=currencies,
            total=next((row for row in totals if row.currency == currency), None),
            trend=await self._trend(tx, merchant_id, period, bucket_for(choice.days), currency),
            best=await self._report(tx, goods, "best-sellers", _BEST, 200),
            channels=await self._report(tx, channels, "channels", ("paid", *_BEST), 200),
            peaks=await self._sales.peaks(tx, merchant_id, period, None),
            returning=await self._buyers.repurchase(tx, merchant_id, year, by_channel=False),
            cohorts=await self._buyers.cohorts(tx, merchant_id, year),
            ageing=await self._goods.ageing(tx, merchant_id, now),
            dead_codes=await self._goods.dead_codes(tx, merchant_id),
        )

    async def _trend(
        self, tx: Transaction, merchant_id: UUID, period: Period, bucket: Bucket, currency: str
    ) -> Trend:
        found = []
        for each in (period, period.previous()):
            question = _question(merchant_id, each, bucket=bucket)
            starts = each.starts(bucket)
            report = await self._report(tx, question, "trends", _TREND, 10_000, is_compared=False)
            found.append((starts, filled(report, starts, currency)))
        (starts, values), (_, previous) = found
        return Trend(starts, bucket, values, previous)

    async def _report(
        self,
        tx: Transaction,
        question: Question,
        name: str,
        columns: tuple[str, ...],
        limit: int,
        *,
        is_compared: bool = True,
    ) -> Report:
        return await self._sales.report(
            tx, name, question, columns, is_compared=is_compared, limit=limit
        )


def _question(
    merchant_id: UUID, period: Period, *dimensions: Dimension, bucket: Bucket | None = None
) -> Question:
    return Question(
        merchant_id=merchant_id,
        period=period,
        dimensions=dimensions,
        bucket=bucket,
        sort=None if bucket else "sales",
    )
