"""As many orders as a test asks for, of two merchants, one every five minutes."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from kit.service import Service
from tests.order.factories import MERCHANT, OTHER_MERCHANT, SHOP, UNTRUSTED

MakeOrders = Callable[[int], Awaitable[None]]
_MADE = (
    "ALTER TABLE orders DISABLE TRIGGER USER",
    f"""
    INSERT INTO orders (id, merchant_id, channel_id, reference, status, total_minor, currency,
      customer_id, contact_hash, payment_id, pay_until, placed_at, paid_at)
    SELECT gen_random_uuid(), CASE WHEN n % 10 = 0 THEN '{OTHER_MERCHANT}' ELSE '{MERCHANT}' END
        ::uuid,
      CASE WHEN n % 100 = 1 THEN '{UNTRUSTED}' ELSE '{SHOP}' END::uuid, 'r-' || n, s.status, 1990,
      'CNY', 'buyer-' || n % 5000, md5('contact-' || n % 5000),
      CASE WHEN s.is_paid THEN gen_random_uuid() END,
      at + interval '15 minutes', at, CASE WHEN s.is_paid THEN at + interval '1 minute' END
    FROM generate_series(1, CAST(:orders AS int)) n,
    LATERAL (SELECT timestamptz '2026-01-01Z' + n * interval '5 minutes' AS at) a,
    LATERAL (SELECT CASE WHEN n % 1000 = 7 THEN 'on_hold' WHEN n % 20 = 3 THEN 'refunded'
      WHEN n % 7 = 5 THEN 'expired' ELSE 'completed' END AS status,
      n % 1000 = 7 OR n % 20 = 3 OR n % 7 <> 5 AS is_paid) s
    """,  # noqa: S608 - constants
    """
    INSERT INTO order_line (id, order_id, line_no, product_id, sku, name, kind, pool_id, quantity,
      unit_price_minor, total_minor, currency)
    SELECT gen_random_uuid(), id, 1, gen_random_uuid(),
      CASE WHEN hashtext(reference) % 2 = 0 THEN 'COMMON' ELSE 'SKU-' || abs(hashtext(reference))
        % 1000 END, 'Card', 'pool', gen_random_uuid(), 1, 1990, 1990, 'CNY' FROM orders
    """,
    """
    INSERT INTO order_search (merchant_id, term, placed_at, order_id)
    SELECT merchant_id, 'channel:' || channel_id, placed_at, id FROM orders
    UNION ALL SELECT merchant_id, 'customer:' || customer_id, placed_at, id FROM orders
    UNION ALL SELECT merchant_id, 'contact:' || contact_hash, placed_at, id FROM orders
    UNION ALL SELECT o.merchant_id, 'sku:' || l.sku, o.placed_at, o.id
      FROM order_line l JOIN orders o ON o.id = l.order_id
    """,
    "ALTER TABLE orders ENABLE TRIGGER USER",
    "ANALYZE orders",
    "ANALYZE order_search",
    "ANALYZE order_line",
)


@pytest.fixture
async def make_orders(service: Service) -> MakeOrders:
    """`await make_orders(count)`: a merchant's, every tenth another's."""

    async def make(count: int) -> None:
        for statement in _MADE:
            async with service.db.transaction() as tx:
                await tx.execute(text("SET LOCAL statement_timeout = '60s'"))
                values = {"orders": count} if ":orders" in statement else {}
                await tx.execute(text(statement.replace("::", "\\:\\:")), values)

    return make
