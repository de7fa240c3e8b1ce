"""Everybody who writes books, all at once: nobody waits for somebody who waits for him."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Database
from kit.errors import Unavailable
from kit.ids import new_id
from kit.messaging.envelope import Envelope
from kit.messaging.events import Event
from kit.messaging.handlers import HandlerSet
from kit.messaging.plan import Received
from kit.service import Service
from ledger.accounts.domain import BANK, CUSTOMER_DEPOSITS, REVENUE, channel_clearing
from ledger.app import create_service
from ledger.settings import Settings
from ledger.transactions.domain import Draft, Posting
from tests.ledger.factories import CHANNEL, MERCHANT, NOON, OTHER_MERCHANT
from tests.ledger.settling import a_sale, agree, money_back, paid, terms

ROUNDS = int(os.environ.get("LOCKSTOCK_LEDGER_LOCK_ROUNDS", "12"))
"""Transactions of each writer."""
WRITERS = 6
TRIES_MAX = 200
SEED = 5
MERCHANTS = (MERCHANT, OTHER_MERCHANT)


async def test_consumers_jobs_and_callers_at_once_never_deadlock(
    service: Service, db: Database, ledger_database: str
) -> None:
    platform = new_id()
    busy = create_service(
        Settings(
            database_url=ledger_database,
            kafka_bootstrap="127.0.0.1:1",
            internal_secret="s" * 32,
            database_pool_size=24,
            platform_merchant_id=platform,
        )
    )
    await agree(service, terms(reserve_basis_points=1_000, reserve_days=1), merchant_id=None)
    before = await _deadlocks(db)

    writers: list[Awaitable[None]] = []
    for number in range(WRITERS):
        writers.append(_consume(busy, random.Random(SEED + number)))
        writers.append(_post_by_hand(busy, random.Random(SEED + number), platform))
    writers += [*(_run_jobs(busy) for _ in range(2)), _chain(busy)]
    await asyncio.gather(*writers)
    # Sessions that end tell what they have counted.
    await busy.db.close()

    assert await _deadlocks(db) == before
    async with db.read() as tx:
        posted = int((await tx.execute(_POSTED)).scalar_one())
        assert (await tx.execute(_OUT_OF_BALANCE)).all() == []
    # By hand, and of each sale: payment, completion, refund, and three splits in two books each.
    sales = WRITERS * ROUNDS * 2
    assert posted >= WRITERS * ROUNDS + 9 * sales


async def _consume(service: Service, rng: random.Random) -> None:
    """Batches as consumers get them: of several merchants and kinds, in some order."""
    handlers = HandlerSet(service.handlers)
    for version in range(1, ROUNDS + 1):
        events: list[Event[Any]] = []
        for merchant in MERCHANTS:
            sale = a_sale(1_000, merchant_id=merchant)
            events += [paid(sale, 10), sale, money_back(sale, 100)]
        rng.shuffle(events)
        batch = [_received(event, version) for event in events]

        async def handle(batch: Sequence[Received] = batch) -> None:
            async with service.db.transaction() as tx:
                await handlers.run(tx, batch)

        await _patiently(handle)


async def _post_by_hand(service: Service, rng: random.Random, platform: UUID) -> None:
    for _ in range(ROUNDS):
        accounts = [BANK, REVENUE, CUSTOMER_DEPOSITS, channel_clearing(CHANNEL)]
        rng.shuffle(accounts)
        amounts = (3, -1, -1, -1)
        draft = Draft(
            merchant_id=rng.choice((*MERCHANTS, platform)),
            source=f"by-hand:{new_id()}",
            at=NOON,
            description="by hand",
            postings=[
                Posting(account, "CNY", amount)
                for account, amount in zip(accounts, amounts, strict=True)
            ],
        )

        async def post(draft: Draft = draft) -> None:
            async with service.db.transaction() as tx:
                await service.state["transactions"].post(tx, [draft])

        await _patiently(post)


async def _run_jobs(service: Service) -> None:
    splits = service.state["splits"]
    for _ in range(ROUNDS):
        for step in (splits.release, splits.release_reserves):

            async def run(step: Callable[[Any], Awaitable[int]] = step) -> None:
                async with service.db.transaction() as tx:
                    await step(tx)

            await _patiently(run)


async def _chain(service: Service) -> None:
    async def run() -> None:
        await service.state["chain"].chain_waiting()

    for _ in range(ROUNDS * 2):
        await _patiently(run)


async def _patiently(act: Callable[[], Awaitable[None]]) -> None:
    """Again when a lock did not come in time: on a slow machine the queue may be that long."""
    for _ in range(TRIES_MAX):
        try:
            await act()
        except Unavailable as error:
            if "deadlock" in str(error.__cause__):
                raise
            continue
        return
    raise AssertionError("a writer never had its turn")


def _received(event: Event[Any], version: int) -> Received:
    envelope = Envelope(
        event.id,
        event.type,
        event.topic,
        event.key,
        version,
        event.time,
        str(event.message.merchant_id),
        None,
        None,
    )
    return Received(
        topic=event.topic,
        partition=0,
        offset=version,
        record_key=event.key.encode(),
        headers=(),
        payload=b"",
        id=event.id,
        envelope=envelope,
        message=event.message,
    )


async def _deadlocks(db: Database) -> int:
    async with db.read() as tx:
        return int((await tx.execute(_DEADLOCKS)).scalar_one())


_DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
_POSTED = text("SELECT count(*) FROM transaction")
_OUT_OF_BALANCE = text("""
    SELECT transaction_id FROM posting GROUP BY 1, currency HAVING sum(amount_minor) <> 0
""")
