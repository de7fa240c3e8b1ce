"""Rows of the first release stay valid and readable through every migration, and back and forth."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import text

from kit import migrate
from kit.db import Database
from kit.ids import new_id
from order.catalogue import service as catalogue
from order.catalogue.domain import PoolFulfillment
from order.orders import service as orders
from order.orders.domain import OrderStatus
from order.tables import metadata
from tests.order.factories import MERCHANT, POOL, SHOP
from tests.stack.service_databases import ServiceDatabases

_OLD = (
    "INSERT INTO merchant (id, name) VALUES (:merchant, 'Old')",
    "INSERT INTO channel (id, merchant_id, name, kind, is_trusted) "
    "VALUES (:channel, :merchant, 'Old', 'shop', true)",
    "INSERT INTO product (id, merchant_id, sku, name, kind, fulfillment, price_minor, currency) "
    "VALUES (:product, :merchant, 'OLD', 'Old', 'pool', "
    "jsonb_build_object('pool_id', CAST(:pool AS text)), 1990, 'CNY')",
    "INSERT INTO orders (id, merchant_id, channel_id, reference, status, total_minor, currency, "
    "customer_id, pay_until, placed_at) VALUES (:order, :merchant, :channel, 'old-1', "
    "'pending_payment', 1990, 'CNY', 'b', clock_timestamp() + interval '1 h', clock_timestamp())",
    "INSERT INTO order_line (id, order_id, line_no, product_id, sku, name, kind, pool_id, "
    "quantity, unit_price_minor, total_minor, currency, instructions, inputs) VALUES (:line, "
    ":order, 1, :product, 'OLD', 'Old', 'pool', CAST(:pool AS uuid), 1, 1990, 1990, 'CNY', 'x', "
    '\'{"phone": "13800138000"}\')',
)


@pytest.fixture
async def old(service_databases: ServiceDatabases) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """A database that the first release wrote to, brought to the present one; the rows' ids."""
    name, url = await service_databases.create("order")
    await migrate._run(
        url, lambda c: command.downgrade(migrate._config("order", c, metadata), "0001")
    )
    ids = {it: str(new_id()) for it in ("product", "order", "line")}
    ids |= {"merchant": str(MERCHANT), "channel": str(SHOP), "pool": str(POOL)}
    db = Database(url, application_name="old")
    async with db.transaction() as tx:
        for statement in _OLD:
            await tx.connection.execute(text(statement), ids)
    await db.close()
    await migrate.migrate("order", url, metadata)
    yield url, ids
    await service_databases.drop(name)


async def test_what_the_first_release_wrote_is_read_by_this_one(
    old: tuple[str, dict[str, str]],
) -> None:
    url, ids = old
    db = Database(url, application_name="new", guards_merchants=True)

    async with db.read([MERCHANT]) as tx:
        product = await catalogue.get_product(tx, MERCHANT, UUID(ids["product"]))
        order = (await orders.get_view(tx, MERCHANT, UUID(ids["order"]))).order
    await db.close()

    assert (product.fulfillment, product.version) == (PoolFulfillment(POOL), 1)
    assert (product.form, product.limits, product.family) == ((), (), None)
    assert (order.status, order.reference) == (OrderStatus.PENDING_PAYMENT, "old-1")
    line = order.lines[0]
    assert (line.pool_id, line.terms, line.bundle_sku) == (POOL, {}, None)
    assert line.shown_inputs == {"phone": "13****00"}
