"""Bought together: counted as the orders end, held against a count of everything from scratch."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from order.payments.jobs import pay_back
from order.provider import load_providers
from order.recommendations import service
from order.recommendations.domain import Completed, Rule
from order.recommendations.jobs import count_pairs, prune_pairs
from tests.order.conftest import Consume
from tests.order.factories import (
    MERCHANT,
    OTHER_MERCHANT,
    SHOP,
    a_line,
    an_order,
    delivered,
    failed,
    fulfilling,
)

RULE = Rule(window_days=90, support_min=3)
TODAY = datetime.now(UTC).date()
ORDERS = 20_000
PRODUCTS = 60
BATCH = 500


async def make_products(
    db: Database, count: int, merchant_id: UUID = MERCHANT, *, in_stock: bool = True
) -> list[UUID]:
    ids = [new_id() for _ in range(count)]
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO product (id, merchant_id, sku, name, kind, fulfillment, price_minor, "
                "currency) SELECT id, :merchant_id, 'S-' || id, 'Card', 'pool', "
                "jsonb_build_object('pool_id', id), 1990, 'CNY' "
                "FROM unnest(CAST(:ids AS uuid[])) AS p(id)"
            ),
            {"merchant_id": merchant_id, "ids": ids},
        )
        if in_stock:
            await tx.execute(
                text(
                    "INSERT INTO pool_stock (pool_id, merchant_id, is_out) "
                    "SELECT id, :merchant_id, false FROM unnest(CAST(:ids AS uuid[])) AS p(id)"
                ),
                {"merchant_id": merchant_id, "ids": ids},
            )
    return ids


async def complete(consume: Consume, db: Database, products: Sequence[UUID], **line) -> None:
    """An order of these products that is delivered, and counted."""
    lines = [a_line(line_no=n, product_id=each, **line) for n, each in enumerate(products, 1)]
    order = await fulfilling(db, an_order(lines=lines))
    for each in order.lines:
        await consume(delivered(order, each))
    await count_pairs(db)._run()


async def recommended(db: Database, product_id: UUID, rule: Rule = RULE) -> dict[UUID, int]:
    async with db.read() as tx:
        found = await service.list_for_product(tx, MERCHANT, product_id, rule, 100)
    return {each.product_id: each.orders for each in found}


async def test_what_was_delivered_together_often_enough_is_recommended(api, consume, db):
    game, card, rare = await make_products(db, 3)
    for _ in range(3):
        await complete(consume, db, [game, card])
    await complete(consume, db, [game, rare])

    answer = await api.get(f"/v1/products/{game}/recommendations")

    assert answer.status_code == 200, answer.text
    [found] = answer.json()["items"]
    assert (found["product_id"], found["orders"]) == (str(card), 3)
    assert found["price"] == {"amount": 1990, "currency": "CNY"}
    assert await recommended(db, card) == {game: 3}


async def test_only_what_was_delivered_counts(consume, db):
    game, card, failing = await make_products(db, 3)
    for _ in range(3):
        lines = [
            a_line(line_no=n, product_id=each) for n, each in enumerate((game, card, failing), 1)
        ]
        order = await fulfilling(db, an_order(lines=lines))
        await consume(delivered(order, lines[0]), delivered(order, lines[1]))
        await consume(failed(order, lines[2]))
        await pay_back(db, load_providers([]), every_seconds=1)._run()
    await count_pairs(db)._run()

    assert await recommended(db, game) == {card: 3}


async def test_components_of_one_bundle_are_no_pair_but_a_bundle_and_a_card_are(consume, db):
    part, other_part, card = await make_products(db, 3)
    bundle = {"bundle_sku": "PACK", "bundle_no": 1, "bundle_policy": "partial"}
    for _ in range(3):
        lines = [
            a_line(line_no=1, product_id=part, **bundle),
            a_line(line_no=2, product_id=other_part, **bundle),
            a_line(line_no=3, product_id=card),
        ]
        order = await fulfilling(db, an_order(lines=lines))
        for each in lines:
            await consume(delivered(order, each))
    await count_pairs(db)._run()

    assert await recommended(db, part) == {card: 3}
    assert await recommended(db, card) == {part: 3, other_part: 3}


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE pool_stock SET is_out = true WHERE pool_id = :id",
        "DELETE FROM pool_stock WHERE pool_id = :id",
        "UPDATE product SET is_active = false WHERE id = :id",
        "UPDATE product SET sale_from = clock_timestamp() + interval '1 day' WHERE id = :id",
        "UPDATE product SET sale_until = clock_timestamp() WHERE id = :id",
    ],
    ids=["sold out", "stock unknown", "not on sale", "not yet", "no more"],
)
async def test_what_cannot_be_bought_is_never_recommended(spoil, consume, db):
    game, card = await make_products(db, 2)
    for _ in range(3):
        await complete(consume, db, [game, card])
    assert await recommended(db, game) == {card: 3}
    async with db.transaction() as tx:
        await tx.execute(text(spoil), {"id": card})

    assert await recommended(db, game) == {}


async def test_a_product_that_comes_from_no_pool_is_always_in_stock(consume, db):
    game, top_up = await make_products(db, 2, in_stock=False)
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE product SET kind = 'manual', fulfillment = '{}' WHERE id = :id"),
            {"id": top_up},
        )
    for _ in range(3):
        await complete(consume, db, [game, top_up])

    assert await recommended(db, game) == {top_up: 3}


async def test_an_order_gets_what_its_products_are_bought_with_and_it_has_not(api, consume, db):
    game, card, both = await make_products(db, 3)
    for _ in range(2):
        await complete(consume, db, [game, both])
        await complete(consume, db, [card, both])
    await complete(consume, db, [game, card])
    order = await fulfilling(
        db, an_order(lines=[a_line(product_id=game), a_line(line_no=2, product_id=card)])
    )

    answer = await api.get(f"/v1/orders/{order.id}/recommendations")

    assert [(it["product_id"], it["orders"]) for it in answer.json()["items"]] == [(str(both), 4)]


async def test_another_merchant_sees_nothing_of_it(api, other_api, consume, db):
    game, card = await make_products(db, 2)
    for _ in range(3):
        await complete(consume, db, [game, card])
    order = await fulfilling(db, an_order(lines=[a_line(product_id=game)]))

    product = await other_api.get(f"/v1/products/{game}/recommendations")
    of_order = await other_api.get(f"/v1/orders/{order.id}/recommendations")

    assert (product.status_code, product.json()["code"]) == (404, "product_not_found")
    assert (of_order.status_code, of_order.json()["code"]) == (404, "order_not_found")


async def test_days_behind_the_window_do_not_count_and_are_forgotten(consume, db):
    game, card = await make_products(db, 2)
    for _ in range(3):
        await complete(consume, db, [game, card])
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE product_pair SET day = day - 10"))

    assert await recommended(db, game, Rule(11, 3)) == {card: 3}
    assert await recommended(db, game, Rule(10, 3)) == {}
    await prune_pairs(db, window_days=10)._run()
    assert await _all(db, "SELECT count(*) FROM product_pair") == [0]


async def test_each_order_is_counted_once_however_many_count(consume, db):
    game, card = await make_products(db, 2)
    for _ in range(20):
        lines = [a_line(line_no=n, product_id=each) for n, each in enumerate((game, card), 1)]
        order = await fulfilling(db, an_order(lines=lines))
        for each in lines:
            await consume(delivered(order, each))

    await asyncio.gather(*(count_pairs(db)._run() for _ in range(8)))
    await count_pairs(db)._run()

    assert await recommended(db, game) == {card: 20}
    assert await _all(db, "SELECT count(*) FROM product_pair_due") == [0]


async def test_an_order_of_one_product_leaves_nothing_to_count(consume, db):
    [game] = await make_products(db, 1)
    order = await fulfilling(db, an_order(lines=[a_line(product_id=game)]))
    await consume(delivered(order, order.lines[0]))

    assert await _all(db, "SELECT count(*) FROM product_pair_due") == [0]


@pytest.mark.timeout(120)
async def test_counting_as_orders_end_is_what_counting_everything_gives(db: Database):
    """20,000 orders of two merchants over 120 days, in batches, against a count in plain Python."""
    chance = random.Random(20)
    products = {it: await make_products(db, PRODUCTS, it) for it in (MERCHANT, OTHER_MERCHANT)}
    orders = [_an_order(chance, products) for _ in range(ORDERS)]
    await _write(db, orders)
    for start in range(0, ORDERS, BATCH):
        batch = [Completed(it[0], it[2]) for it in orders[start : start + BATCH]]
        async with db.transaction() as tx:
            await service.count(tx, batch)

    expected: dict[UUID, Counter[UUID]] = {each: Counter() for each in products[MERCHANT]}
    for _, merchant_id, day, lines in orders:
        together = {product_id for product_id, is_delivered in lines if is_delivered}
        if merchant_id == MERCHANT and day > TODAY - timedelta(days=RULE.window_days):
            for one, other in permutations(together, 2):
                expected[one][other] += 1
    for product_id in products[MERCHANT]:
        most = {other: n for other, n in expected[product_id].items() if n >= RULE.support_min}
        assert await recommended(db, product_id) == most
    assert sum(len(it) for it in expected.values()) > 1_000


def _an_order(chance: random.Random, products):
    merchant_id = MERCHANT if chance.random() < 0.8 else OTHER_MERCHANT
    day = TODAY - timedelta(days=chance.randrange(120))
    # Some products are bought far more often than others.
    wanted = {min(int(chance.expovariate(0.1)), PRODUCTS - 1) for _ in range(chance.choice(_LINES))}
    lines = [(products[merchant_id][each], chance.random() < 0.9) for each in sorted(wanted)]
    return new_id(), merchant_id, day, lines


_LINES = (1, 1, 2, 2, 3, 5)


async def _write(db: Database, orders) -> None:
    values = {
        "ids": [it[0] for it in orders],
        "merchants": [it[1] for it in orders],
        "channel": SHOP,
    }
    lines = [(it[0], n, *line) for it in orders for n, line in enumerate(it[3], 1)]
    async with db.transaction() as tx:
        await tx.execute(text("SET LOCAL statement_timeout = '60s'"))
        await tx.execute(
            text(
                "INSERT INTO orders (id, merchant_id, channel_id, reference, status, total_minor, "
                "currency, customer_id, pay_until, placed_at) SELECT id, merchant_id, :channel, "
                "CAST(id AS text), 'pending_payment', 1, 'CNY', 'b', clock_timestamp(), "
                "clock_timestamp() FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[])) "
                "AS o(id, merchant_id)"
            ),
            values,
        )
        await tx.execute(
            text(
                "INSERT INTO order_line (id, order_id, line_no, product_id, sku, name, kind, "
                "pool_id, quantity, unit_price_minor, total_minor, currency, status) "
                "SELECT gen_random_uuid(), order_id, line_no, product_id, 'S', 'Card', 'pool', "
                "product_id, 1, 1, 1, 'CNY', CASE WHEN is_delivered THEN 'delivered' "
                "ELSE 'failed' END FROM unnest(CAST(:orders AS uuid[]), CAST(:numbers AS int[]), "
                "CAST(:products AS uuid[]), CAST(:delivered AS boolean[])) "
                "AS l(order_id, line_no, product_id, is_delivered)"
            ),
            {
                "orders": [it[0] for it in lines],
                "numbers": [it[1] for it in lines],
                "products": [it[2] for it in lines],
                "delivered": [it[3] for it in lines],
            },
        )


async def _all(db: Database, sql: str):
    async with db.read() as tx:
        return list((await tx.execute(text(sql))).scalars())
