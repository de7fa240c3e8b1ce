"""Each filter on 100,000 orders: an index is used, and an answer takes less than 50 ms."""

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from kit.db import Database
from order.orders.domain import OrderStatus
from order.search import repository
from order.search.domain import Filter, Place
from tests.order.factories import MERCHANT, SHOP, UNTRUSTED
from tests.order.search.conftest import MakeOrders

MILLISECONDS_MAX = 50.0
TRIES_MAX = 20
LIMIT = 51
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
EARLY = datetime(2026, 1, 10, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)
RARE, COMMON = OrderStatus.ON_HOLD, OrderStatus.COMPLETED
CONTACT = "contact"  # replaced by the hash of a contact that is there

FILTERS = {
    "nothing": Filter(),
    "reference": Filter(reference="r-77777"),
    "customer": Filter(customer_id="buyer-77"),
    "contact": Filter(contact_hashes=(CONTACT,)),
    "rare product": Filter(sku="SKU-77"),
    "common product": Filter(sku="COMMON"),
    "no such product": Filter(sku="NONE"),
    "rare state": Filter(statuses=(RARE,)),
    "common state": Filter(statuses=(COMMON,)),
    "several states": Filter(statuses=(RARE, OrderStatus.REFUNDED, COMMON)),
    "state nobody is in": Filter(statuses=(OrderStatus.CANCELLED,)),
    "channel": Filter(channel_id=SHOP),
    "small channel": Filter(channel_id=UNTRUSTED),
    "placed in": Filter(placed_from=JUNE, placed_to=JULY),
    "placed before all": Filter(placed_to=datetime(2020, 1, 1, tzinfo=UTC)),
    "paid in": Filter(paid_from=JUNE, paid_to=JULY),
    "customer and state": Filter(customer_id="buyer-77", statuses=(RARE,)),
    "common product and rare state": Filter(sku="COMMON", statuses=(RARE,)),
    "product, state, time": Filter(
        sku="SKU-77", statuses=(COMMON,), placed_from=JUNE, placed_to=JULY
    ),
    "product and paid in": Filter(sku="SKU-77", paid_from=JUNE, paid_to=JULY),
    "channel, product, customer": Filter(
        channel_id=SHOP, sku="COMMON", customer_id="buyer-77", placed_from=JUNE
    ),
    "all at once": Filter(
        reference="r-77777",
        statuses=(COMMON,),
        channel_id=SHOP,
        customer_id="buyer-2777",
        contact_hashes=(CONTACT,),
        sku="COMMON",
        placed_from=datetime(2026, 1, 1, tzinfo=UTC),
        paid_from=datetime(2026, 1, 1, tzinfo=UTC),
    ),
}


@pytest.mark.timeout(120)
async def test_every_filter_goes_by_an_index_and_answers_in_time(
    db: Database, make_orders: MakeOrders
):
    await make_orders(100_000)
    hash_ = await _one(db, "SELECT md5('contact-2777')")
    slow: dict[str, Any] = {}
    for name, wanted in FILTERS.items():
        if wanted.contact_hashes:
            wanted = replace(wanted, contact_hashes=(hash_,))
        for place in (None, Place(JUNE, MERCHANT)):
            plan, seconds = await _explained(db, wanted, place)
            milliseconds = seconds * 1000
            if "Seq Scan" in plan or milliseconds > MILLISECONDS_MAX:
                slow[f"{name}, after {place}"] = (milliseconds, plan)

    assert slow == {}


async def test_the_search_answers_what_a_plain_condition_does(
    db: Database, make_orders: MakeOrders
):
    await make_orders(20_000)
    wanted = Filter(sku="COMMON", statuses=(RARE,), placed_from=EARLY)
    async with db.transaction() as tx:
        found = await repository.find(tx, MERCHANT, wanted, after=None, limit=1_000)
    plain = await _all(
        db,
        "SELECT o.id FROM orders o JOIN order_line l ON l.order_id = o.id "
        "WHERE o.merchant_id = :merchant_id AND o.status = 'on_hold' AND l.sku = 'COMMON' "
        "AND o.placed_at >= :at ORDER BY o.placed_at DESC, o.id DESC",
        merchant_id=MERCHANT,
        at=EARLY,
    )

    assert [place.order_id for place in found] == plain
    assert 1 < len(plain) < 20


async def _explained(db: Database, wanted: Filter, after: Place | None) -> tuple[str, float]:
    """The plan that PostgreSQL chooses with every kind of scan allowed, and the time it takes: the
    best of some, because a machine that stumbles says nothing about the plan.
    """
    async with db.transaction() as tx:
        await repository.find(tx, MERCHANT, wanted, after=after, limit=LIMIT)  # prepares it
        seconds = 60.0
        for _ in range(TRIES_MAX):
            started = time.monotonic()
            await repository.find(tx, MERCHANT, wanted, after=after, limit=LIMIT)
            seconds = min(seconds, time.monotonic() - started)
            if seconds * 1000 < MILLISECONDS_MAX:
                break
        lead = await repository.find_lead(tx, MERCHANT, wanted)
        sql, values = repository.statement(MERCHANT, wanted, lead, after=after, limit=LIMIT)
        await tx.execute(text("SET LOCAL enable_seqscan = on"))
        rows = await tx.execute(text(f"EXPLAIN {sql}"), values)
        plan = "\n".join(row[0] for row in rows)
    return re.sub(r"[0-9a-f-]{36}", "..", json.dumps(plan)), seconds


async def _one(db: Database, sql: str) -> Any:
    return (await _all(db, sql))[0]


async def _all(db: Database, sql: str, **values: Any) -> list[Any]:
    async with db.read() as tx:
        return list((await tx.execute(text(sql), values)).scalars())
