"""Orders that ended unpaid, and what providers tell of them late."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from kit.db import Database
from kit.errors import DomainError
from kit.money import Money
from order.orders import service as orders
from order.orders.domain import Order
from order.payments.domain import PaymentWord, Receipt
from order.payments.service import PayCall, PaymentService
from order.saga import service as saga
from tests.order.factories import MERCHANT, POOL, SHOP
from tests.order.money.readers import liability

PRICE = 1990
DAY = timedelta(days=1)


async def sells(api: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    body = {
        "sku": "GAME-100",
        "name": "Game card",
        "fulfillment": {"kind": "pool", "pool_id": str(POOL)},
        "price": {"amount": PRICE, "currency": "CNY"},
        **given,
    }
    answer = await api.post("/v1/products", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def an_ended_order(
    db: Database, api: httpx.AsyncClient, *, ending: str = "expired", **given: Any
) -> Order:
    """Placed through the API, and over before it was paid."""
    body = {
        "channel_id": str(SHOP),
        "reference": f"late-{datetime.now(UTC).timestamp()}",
        "customer": {"id": "buyer-7", "ip": "203.0.113.7"},
        "lines": [{"sku": "GAME-100", "quantity": 1}],
        **given,
    }
    answer = await api.post("/v1/orders", json=body)
    assert answer.status_code == 201, answer.text
    return await ended(db, api, answer.json()["id"], ending)


async def ended(db: Database, api: httpx.AsyncClient, order_id: str, ending: str) -> Order:
    async with db.transaction() as tx:
        if ending == "expired":
            over = "UPDATE orders SET pay_until = clock_timestamp() WHERE id = :id"
            await tx.execute(text(over), {"id": order_id})
            assert await saga.expire_due(tx, 100) == 1
    if ending == "cancelled":
        assert (await api.post(f"/v1/orders/{order_id}/cancel")).status_code == 200
    async with db.read() as tx:
        return await orders.get_order(tx, MERCHANT, UUID(order_id))


async def came(
    db: Database,
    order: Order,
    amount: int | None = None,
    reference: str = "r-1",
    currency: str = "CNY",
    within: timedelta = DAY,
) -> Receipt | DomainError:
    """A provider says that money is there."""
    money = Money(order.total.amount_minor if amount is None else amount, currency)
    word = PaymentWord("demo", reference, money)
    call = PayCall(order.merchant_id, order.id, word, "provider:demo", has_come=True)
    async with db.transaction() as tx:
        return (await PaymentService({}, late_within=within).pay_many(tx, [call]))[0]


async def owed(db: Database, order: Order) -> dict[str, int]:
    """What the ledger owes the buyer after all events of the order."""
    query = text("SELECT type, payload FROM event_log WHERE key = :key ORDER BY id")
    async with db.read() as tx:
        rows = (await tx.execute(query, {"key": str(order.id)})).all()
    return {
        name: sum_
        for name, sum_ in (await liability([(r.type, r.payload) for r in rows])).items()
        if sum_
    }


async def news_of(db: Database, order: Order) -> list[str]:
    query = text("SELECT type FROM event_log WHERE key = :key ORDER BY id")
    async with db.read() as tx:
        rows = await tx.execute(query, {"key": str(order.id)})
        return [row.type.rpartition(".")[2] for row in rows]
