"""Thousands of random orders, told in any order and again: the books add up to the cent."""

import os
import random
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.messaging.events import Event
from kit.service import Service
from tests.ledger.conftest import Balances, Deliver, follow
from tests.ledger.facts.test_rollups_follow import everything, rebuild
from tests.ledger.random_orders import RandomOrders
from tests.ledger.stories import Key, OrderStory, disordered

ORDERS = int(os.environ.get("LOCKSTOCK_LEDGER_ORDERS", "400"))
"""100,000 is the full size: it passed in 7 min 14 s beside another test run."""
SEED = int(os.environ.get("LOCKSTOCK_LEDGER_SEED", "7"))
TOGETHER = 2_000
"""Orders whose events are told in one heap, with some of the heap before."""

pytestmark = pytest.mark.timeout(120 + ORDERS // 20)


async def test_random_orders_in_any_order_leave_books_that_add_up_to_the_cent(
    service: Service, db: Database, deliver: Deliver, balances: Balances
) -> None:
    merchant = new_id()
    rng = random.Random(SEED)
    generator = RandomOrders(SEED, merchant)
    held_back: list[Event[Any]] = generator.stock()
    expected: Counter[Key] = Counter(generator.balances)
    kept: list[OrderStory] = []
    reversed_: list[UUID] = []
    for begin in range(0, ORDERS, TOGETHER):
        stories = list(generator.orders(min(TOGETHER, ORDERS - begin)))
        heap = held_back + [event for story in stories for event in story.events]
        held_back = [event for event in heap if rng.random() < 0.05]
        for batch in disordered(rng, heap):
            await deliver(*batch)
        for story in stories:
            expected.update(story.balances)
        kept += rng.sample(stories, min(len(stories), 200))
        reversed_ += await reverse_some(db, service, merchant, rng, expected)
    for batch in disordered(rng, held_back):
        await deliver(*batch)

    assert await balances(merchant) == {key: total for key, total in expected.items() if total}
    async with db.read() as tx:
        assert (await tx.execute(_OUT_OF_BALANCE, {"merchant": merchant})).all() == []
        assert (await tx.execute(_CURRENCIES, {"merchant": merchant})).all() == []
        assert (await tx.execute(_BALANCES_THAT_LIE, {"merchant": merchant})).all() == []
    await check_orders(db, [story for story in kept if story.id not in set(reversed_)])
    await follow(service)
    rolled_up = await everything(db)
    await rebuild(db)
    assert await everything(db) == rolled_up


async def reverse_some(
    db: Database, service: Service, merchant: UUID, rng: random.Random, expected: Counter[Key]
) -> list[UUID]:
    """Some transactions by hand: their opposite is expected too. Answers the orders of them."""
    async with db.read() as tx:
        rows = (await tx.execute(_SOME, {"merchant": merchant})).all()
    orders: list[UUID] = []
    for row in rng.sample(rows, min(len(rows), 5)):
        async with db.transaction() as tx:
            undo = await service.state["transactions"].reverse(
                tx, merchant, row.id, at=row.at, description="by hand"
            )
        for posting in undo.postings:
            expected[posting.account.code, posting.currency] += posting.amount_minor
            orders += [posting.dimensions.order_id] if posting.dimensions.order_id else []
    return orders


async def check_orders(db: Database, stories: list[OrderStory]) -> None:
    """Each order's money adds up, and each line's margin is its sale less its lots' unit costs less
    fees.
    """
    async with db.read() as tx:
        ids = [story.id for story in stories]
        money = await tx.execute(_OF_ORDERS, {"orders": ids})
        found: dict[UUID, Counter[Key]] = {story.id: Counter() for story in stories}
        for row in money:
            found[row.order_id][row.code, row.currency] = int(row.total)
        lines = await tx.execute(_OF_LINES, {"orders": ids})
        margins: dict[UUID, Counter[str]] = {}
        for row in lines:
            margins.setdefault(row.line_id, Counter())[row.currency] = int(row.margin)
    for story in stories:
        told = Counter(story.balances)
        told.subtract(story.elsewhere)
        assert _clean(found[story.id]) == _clean(told), story.id
        for line in story.lines:
            assert _clean(margins.get(line.id, Counter())) == _clean(line.margin), line.sku


def _clean(counter: Counter[Any]) -> dict[Any, int]:
    return {key: it for key, it in counter.items() if it}


_SOME = text("""
    SELECT id, at FROM transaction WHERE merchant_id = :merchant AND reverses IS NULL
        AND NOT EXISTS (SELECT 1 FROM transaction undo WHERE undo.reverses = transaction.id)
    ORDER BY id DESC LIMIT 200
""")
_OUT_OF_BALANCE = text("""
    SELECT transaction_id, currency FROM posting WHERE merchant_id = :merchant
    GROUP BY 1, 2 HAVING sum(amount_minor) <> 0
""")
_CURRENCIES = text("""
    SELECT account.currency FROM account JOIN account_balance AS balance ON account_id = account.id
    WHERE merchant_id = :merchant
    GROUP BY 1 HAVING sum(debit_minor) <> sum(credit_minor)
""")
_BALANCES_THAT_LIE = text("""
    SELECT account_id FROM account_balance AS balance
    JOIN account ON account.id = balance.account_id AND account.merchant_id = :merchant
    LEFT JOIN (SELECT account_id, sum(amount_minor) AS total, count(*) AS postings
               FROM posting WHERE merchant_id = :merchant GROUP BY account_id) AS actual
        USING (account_id)
    WHERE balance.debit_minor - balance.credit_minor IS DISTINCT FROM actual.total
        OR balance.postings_total IS DISTINCT FROM actual.postings
""")
_OF_ORDERS = text("""
    SELECT order_id, code, posting.currency, sum(amount_minor) AS total
    FROM posting JOIN account ON account.id = account_id
    WHERE order_id = ANY(CAST(:orders AS uuid[])) GROUP BY 1, 2, 3
""")
_OF_LINES = text("""
    SELECT line_id, posting.currency, -sum(amount_minor) AS margin
    FROM posting JOIN account ON account.id = account_id AND kind IN ('income', 'expense')
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND line_id IS NOT NULL GROUP BY 1, 2
""")
