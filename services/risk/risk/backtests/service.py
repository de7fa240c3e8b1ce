import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from kit.db import Database, Transaction
from kit.db_errors import kind_is_transient
from kit.logging import get_logger
from risk.backtests.domain import (
    SPAN_MAX,
    UNDER_WAY_MAX,
    Backtest,
    BacktestNotFound,
    BacktestStatus,
    BadPeriod,
    PastOrder,
    Question,
    Tally,
    TooManyBacktests,
)
from risk.backtests.repository import BacktestRepository
from risk.condition_refusals import ConditionRefused
from risk.conditions import Conditions, Program
from risk.counts import CountFact, KeyKind
from risk.facts import Facts, FactValue, counts_of
from risk.replay import Replay, Seen, can_replay
from risk.velocity.domain import address_key, network_key

log = get_logger(__name__)

PAGE = 2_000
"""Purchases read and judged between two words about progress."""
BREATH = 200
"""Purchases judged before others get their turn in this process: a few milliseconds."""


class BacktestService:
    """Judges a past by a condition, with what was known then: what was recorded is read, counts are
    counted again in the order of recording.
    """

    def __init__(self, repository: BacktestRepository, conditions: Conditions) -> None:
        self._repository = repository
        self._conditions = conditions

    async def ask(
        self, tx: Transaction, merchant_id: UUID, question: Question, *, author: str
    ) -> Backtest:
        """Queues it. Raises ConditionRefused, BadPeriod, TooManyBacktests."""
        self._conditions.compile(question.condition)
        if not question.since < question.until <= question.since + SPAN_MAX:
            raise BadPeriod
        if await self._repository.lock_count(tx, merchant_id) >= UNDER_WAY_MAX:
            raise TooManyBacktests(under_way_max=UNDER_WAY_MAX)
        return await self._repository.add(tx, merchant_id, question, author=author)

    async def get(self, tx: Transaction, merchant_id: UUID, backtest_id: UUID) -> Backtest:
        """Raises BacktestNotFound."""
        found = await self._repository.find(tx, merchant_id, backtest_id)
        if found is None:
            raise BacktestNotFound(backtest_id=str(backtest_id))
        return found

    async def list_backtests(
        self, tx: Transaction, merchant_id: UUID, *, before: UUID | None, limit: int
    ) -> list[Backtest]:
        """Newest first."""
        return await self._repository.list_backtests(tx, merchant_id, before=before, limit=limit)

    async def run_next(self, db: Database) -> bool:
        """Runs one to its end; False when none waits. One whose runner died begins anew, and so
        does one that met a trouble that passes, ATTEMPTS_MAX times in all: then it has failed.
        """
        async with db.transaction() as tx:
            taken = await self._repository.take(tx)
        if taken is None:
            return False
        try:
            report = await self._run(db, taken)
        except ConditionRefused as refused:
            await self._end(db, taken, BacktestStatus.FAILED, problem=str(refused))
        except Exception as error:
            if kind_is_transient(error) or isinstance(error, TimeoutError | ConnectionError):
                raise
            log.exception("backtest_failed", backtest_id=str(taken.id))
            problem = f"it cannot be run to its end: {type(error).__name__}"
            await self._end(db, taken, BacktestStatus.FAILED, problem=problem)
        else:
            await self._end(db, taken, BacktestStatus.COMPLETED, report=report)
        return True

    async def _run(self, db: Database, backtest: Backtest) -> dict[str, Any]:
        started = time.monotonic()
        question = backtest.question
        trial = _Trial(self._conditions, question)
        span = trial.replay.span
        async with db.read() as tx:
            # What came after the end was there already when a late order before it was judged.
            ids, is_partly_forgotten = await self._repository.list_ids(
                tx, backtest.merchant_id, question.since - span, question.until + span
            )
        if is_partly_forgotten:
            trial = _Trial(self._conditions, question, with_products=False)
        total = len(ids) // 16
        for first in range(0, total, PAGE):
            async with db.transaction() as tx:
                await self._repository.progress(tx, backtest.id, first, total)
            async with db.read() as tx:
                page = await self._repository.list_orders(
                    tx,
                    _uuids(ids, first, first + PAGE),
                    self._conditions.catalogue,
                    trial.recorded,
                    with_products=KeyKind.PRODUCT in trial.replay.kinds,
                )
            await trial.judge(page)
        async with db.transaction() as tx:
            await self._repository.progress(tx, backtest.id, total, total)
        seconds = time.monotonic() - started
        log.info("backtest_done", backtest_id=str(backtest.id), purchases=total, seconds=seconds)
        return trial.tally.report(question.action) | {"seconds": round(seconds, 3)}

    async def _end(
        self,
        db: Database,
        backtest: Backtest,
        status: BacktestStatus,
        *,
        report: dict[str, Any] | None = None,
        problem: str = "",
    ) -> None:
        async with db.transaction() as tx:
            await self._repository.end(tx, backtest.id, status, report=report, problem=problem)


class _Trial:
    """A condition on its way through a past. Without products, what counts them is as it was
    recorded then, or unknown.
    """

    def __init__(
        self, conditions: Conditions, question: Question, *, with_products: bool = True
    ) -> None:
        self._question = question
        self._conditions = conditions
        mentions = conditions.compiled(question.condition).mentions
        counts = [
            count
            for count in counts_of(mentions)
            if can_replay(count)
            and (with_products or KeyKind.PRODUCT not in (count.key, count.measure.of))
        ]
        replayed = {count.name for count in counts}
        self.recorded = [name for name in mentions if name not in replayed]
        self.replay = Replay(counts)
        self.tally = Tally()
        self._program: Program = conditions.program([question.condition])
        self._lost: list[CountFact] = counts_of(self.recorded)

    async def judge(self, page: Sequence[PastOrder]) -> None:
        """Counts all of them, judges the orders of the time that is asked about."""
        for number, order in enumerate(page, 1):
            counted = self.replay.take(_seen(order, self.replay.kinds))
            if order.is_order and self._question.since <= order.at < self._question.until:
                self._judge(order, counted)
            if number % BREATH == 0:
                await asyncio.sleep(0)

    def _judge(self, order: PastOrder, counted: Mapping[str, int]) -> None:
        values: dict[str, FactValue] = {**order.recorded, **counted}
        for name in self.recorded:
            if name not in values:
                self.tally.miss(name)
        answers = self._program.run(Facts(self._conditions.catalogue, values))
        fired = 0 in answers
        if answers.get(0) is not None:
            # Nobody could decide it then either: it would have been held.
            self.tally.undecidable += 1
        self.tally.add(order, fired=fired, values=values if fired else {})


def _seen(order: PastOrder, kinds: frozenset[KeyKind]) -> Seen:
    """What is unknown counts for nothing."""
    keys: dict[KeyKind, tuple[str, ...]] = {}
    for kind in kinds:
        if kind is KeyKind.PRODUCT:
            keys[kind] = tuple(key for key, _, _ in order.products)
        else:
            value = _value_of(order, kind)
            keys[kind] = (value,) if value else ()
    return Seen(
        order.at,
        order.currency,
        order.quantity,
        order.amount_minor,
        keys,
        {key: (quantity, amount) for key, quantity, amount in order.products},
    )


def _value_of(order: PastOrder, kind: KeyKind) -> str:
    match kind:
        case KeyKind.IP:
            return address_key(order.ip)
        case KeyKind.IP_24:
            return network_key(order.ip)
        case KeyKind.DEVICE:
            return order.device_id.strip()
        case KeyKind.CUSTOMER:
            return order.customer_id.strip()
        case KeyKind.CONTACT:
            return order.contact_hash.strip()
        case KeyKind.PAYER:
            return order.payer_hash.strip()
        case KeyKind.CHANNEL:
            return order.channel_id.strip()
        case _:
            raise AssertionError(f"a purchase has several of {kind}")


def _uuids(ids: bytes, first: int, end: int) -> list[UUID]:
    part = ids[first * 16 : end * 16]
    return [UUID(bytes=part[place : place + 16]) for place in range(0, len(part), 16)]
