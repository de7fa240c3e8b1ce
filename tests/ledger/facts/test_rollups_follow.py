"""Whatever comes, however often and in which order: the roll-ups are what the facts say, and what a
rebuild makes of them.
"""

import asyncio
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import combinations_with_replacement
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import TextClause, text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from ledger.rollups.domain import TABLES
from ledger.rollups.repository import RollupRepository
from ledger.rollups.service import RollupService
from tests.ledger.bought import ZONES, Bought, bought_orders, delivered_of, events_of
from tests.ledger.conftest import Deliver, follow

GOODS_GRAINS = (
    "quarter", "month", "product_day", "product_month", "item_part", "item_day", "item_month",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
async def test_roll_ups_are_what_the_orders_say_and_what_a_rebuild_makes(
    service: Service, db: Database, deliver: Deliver, seed: int
):
    dice = random.Random(seed)
    merchant = new_id()
    orders = bought_orders(dice, 40)
    events = [event for order in orders for event in events_of(merchant, order)]
    events += dice.sample(events, len(events) // 3)
    dice.shuffle(events)

    while events:
        batch = [events.pop() for _ in range(min(len(events), dice.randrange(1, 12)))]
        for kind in {type(event.message) for event in batch}:
            await deliver(*(event for event in batch if type(event.message) is kind))
        if dice.random() < 0.3:
            await follow(service)
    await follow(service)

    await _agrees_with_orders(db, merchant, orders)
    kept = await everything(db)
    await rebuild(db)
    assert await everything(db) == kept


async def test_a_rebuild_leaves_to_the_chain_what_is_not_in_it_yet(
    service: Service, db: Database, deliver: Deliver
):
    dice = random.Random(11)
    merchant = new_id()
    orders = bought_orders(dice, 30)
    for number, order in enumerate(orders):
        for event in events_of(merchant, order):
            await deliver(event)
        if number == 10:
            await follow(service)
        if number == 20:
            await rebuild(db)
    await follow(service)

    await _agrees_with_orders(db, merchant, orders)
    kept = await everything(db)
    await rebuild(db)
    assert await everything(db) == kept


async def test_postings_are_counted_once_by_whoever_follows_while_others_post(
    service: Service, db: Database, deliver: Deliver
):
    dice = random.Random(12)
    merchant = new_id()
    orders = bought_orders(dice, 30)

    async def tell(mine: list[Bought]) -> None:
        for order in mine:
            for event in events_of(merchant, order):
                await deliver(event)

    telling = asyncio.gather(*(tell(orders[part::3]) for part in range(3)))
    while not telling.done():
        await asyncio.gather(*(service.state["chain"].chain_waiting() for _ in range(3)))
    await telling
    await follow(service)

    await _agrees_with_orders(db, merchant, orders)


async def rebuild(db: Database) -> None:
    async for _ in RollupService(RollupRepository()).rebuild(db):
        pass


async def _agrees_with_orders(db: Database, merchant: UUID, orders: list[Bought]) -> None:
    paid = [order for order in orders if order.paid_at]
    async with db.read() as tx:
        for grain in ("quarter", "hour", "channel_hour", "day", "month"):
            values = {"merchant_id": merchant, "grain": grain}
            rows = (await tx.execute(_BY_CHANNEL, values)).all()
            assert {row.channel_id: tuple(row)[1:] for row in rows} == _by_channel(orders)
        for grain in GOODS_GRAINS:
            values = {"merchant_id": merchant, "grain": grain}
            rows = (await tx.execute(_BY_PRODUCT, values)).all()
            assert {row.product_id: tuple(row)[1:] for row in rows} == _by_product(orders)
        rows = (await tx.execute(_BASKETS, {"merchant_id": merchant})).all()
        assert Counter({tuple(row)[:2]: row.orders for row in rows}) == _baskets(orders)
        for zone in ZONES:
            starts = [
                datetime(2026, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
                for month in range(1, 8)
            ]
            rows = (await tx.execute(_COHORTS, {"merchant_id": merchant, "starts": starts})).all()
            assert {tuple(row)[:2]: tuple(row)[2:] for row in rows} == _cohorts(paid, zone)


def _by_channel(orders: list[Bought]) -> dict[UUID, tuple[int, ...]]:
    found: dict[UUID, list[int]] = defaultdict(lambda: [0] * 11)
    for order in orders:
        lines, sums = delivered_of(order), found[order.channel]
        is_refunded = order.end in ("partly", "refunded", "after")
        if order.end == "partly" and order.total == order.lines[0][2]:
            is_refunded = False
        sums[0] += 1
        sums[1] += order.paid_at is not None
        sums[2] += bool(lines)
        sums[3] += is_refunded
        sums[4] += order.paid_at is not None
        sums[5] += bool(lines)
        sums[6] += is_refunded
        sums[7] += sum(quantity for _, quantity, _, _, _ in lines)
        sums[8] += sum(price for _, _, price, _, _ in lines)
        sums[9] += order.lines[0][2] if order.end == "after" else 0
        sums[10] += sum(cost * (quantity if lot else 1) for _, quantity, _, lot, cost in lines)
    return {channel: tuple(sums) for channel, sums in found.items()}


def _by_product(orders: list[Bought]) -> dict[UUID, tuple[int, ...]]:
    found: dict[UUID, list[int]] = defaultdict(lambda: [0] * 4)
    for order in orders:
        for product, quantity, price, lot, cost in delivered_of(order):
            sums = found[product]
            sums[0] += quantity
            sums[1] += price
            sums[2] += price
            sums[3] += cost * (quantity if lot else 1)
    return {product: tuple(sums) for product, sums in found.items()}


def _baskets(orders: list[Bought]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for order in orders:
        products = sorted({product for product, *_ in delivered_of(order)})
        found.update(combinations_with_replacement(products, 2))
    return found


def _cohorts(paid: list[Bought], zone: str) -> dict[tuple[int, int], tuple[int, ...]]:
    """(month of the first purchase, month) -> buyers, orders, spent; months from 1 for January."""

    def month(order: Bought) -> int:
        assert order.paid_at is not None
        return order.paid_at.astimezone(ZoneInfo(zone)).month

    buyers: dict[str, list[Bought]] = defaultdict(list)
    for order in paid:
        buyers[order.buyer].append(order)
    cells: dict[tuple[int, int], list[Bought]] = defaultdict(list)
    for bought in buyers.values():
        first = min(month(order) for order in bought)
        for order in bought:
            cells[first, month(order)].append(order)
    return {
        cell: (len({o.buyer for o in them}), len(them), sum(o.total for o in them))
        for cell, them in cells.items()
    }


async def everything(db: Database) -> dict[str, Any]:
    tables = (*TABLES, "buyer_order", "buyer_fact")
    async with db.read() as tx:
        await tx.execute(_PATIENT)
        rows = {table: (await tx.execute(_all(table))).all() for table in tables}
    sums = {
        "rollup_time": 6,
        "rollup_goods": 10,
        "rollup_basket": 4,
        "rollup_cohort": 5,
        "rollup_buyer": 4,
    }
    kept = {}
    for table, found in rows.items():
        key = sums.get(table)
        # A row of zeros is as good as none: a rebuild does not write it.
        kept[table] = sorted(tuple(map(str, row)) for row in found if key is None or any(row[key:]))
    return kept


# Whole tables, and a machine that is busy: longer than a service lets a statement take.
_PATIENT = text("SET LOCAL statement_timeout = '10min'")
_BY_CHANNEL = text("""
    SELECT channel_id, sum(placed)::int, sum(paid)::int, sum(delivered)::int, sum(refunded)::int,
        sum(of_placed_paid)::int, sum(of_placed_delivered)::int, sum(of_placed_refunded)::int,
        sum(units)::int, sum(sales)::int, sum(refunds)::int, sum(cost)::int
    FROM rollup_time WHERE merchant_id = :merchant_id AND grain = :grain GROUP BY channel_id
""")
_BY_PRODUCT = text("""
    SELECT product_id, sum(units)::int, sum(shares)::int, sum(sales)::int, sum(cost)::int
    FROM rollup_goods WHERE merchant_id = :merchant_id AND grain = :grain
        AND product_id <> '0190b1c2-0000-7000-8000-0000000000f1'
    GROUP BY product_id
""")
_BASKETS = text("""
    SELECT first_product, second_product, sum(orders)::int AS orders FROM rollup_basket
    WHERE merchant_id = :merchant_id GROUP BY 1, 2
""")
_COHORTS = text("""
    SELECT width_bucket(first_slot, CAST(:starts AS timestamptz[])),
        width_bucket(slot, CAST(:starts AS timestamptz[])),
        sum(orders) FILTER (WHERE width_bucket(previous_slot, CAST(:starts AS timestamptz[]))
            < width_bucket(slot, CAST(:starts AS timestamptz[])))::int,
        sum(orders)::int, sum(spent)::int
    FROM rollup_cohort WHERE merchant_id = :merchant_id GROUP BY 1, 2 HAVING sum(orders) <> 0
""")


def _all(table: str) -> TextClause:
    return text(f"SELECT * FROM {table}")  # noqa: S608 - our own tables
