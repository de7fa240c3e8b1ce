"""The race of payments, cancelling and time through every service: exact money, exact stock.

Orders, vault with its opener, fulfilment, risk and ledger are processes of their own. What a
provider tells comes in through the order service's own code, in this process, on its database.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.http.once import model_bytes
from kit.tenancy import EVERY_MERCHANT
from onebox.environment import environment
from onebox.services import service_named
from onebox.supervisor import Onebox
from order.app import create_service
from order.payments.schemas import PaymentRead
from tests.e2e.test_purchase import codes
from tests.e2e.test_top_up import books_at_rest, books_moved
from tests.order.conftest import settings_for
from tests.order.money.api_process import money_came, teller
from tests.order.money.callers import Caller, Seller, until_available
from tests.order.money.checker import problems
from tests.order.money.plots import COPIES, PLOTS, PRICE, Payment
from tests.order.money.readers import read_tales
from tests.order.money.tales import Tale
from tests.order.money.wire import Answer, Line
from tests.stack.shop import Product, Shop

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ORDERS = int(os.environ.get("E2E_RACE_ORDERS", "300"))
CALLERS = 64
COST = 1200
UNITS = max(40, ORDERS // 2)
QUIET_SECONDS_MAX = 300.0
EXPIRY_SECONDS_MAX = 120.0


class Buyers(Caller):
    """Callers whose providers speak through `tell`."""

    def __init__(self, port: int, token: str, db: Database, seller: Seller, tell: Any) -> None:
        super().__init__(port, token, db, seller)
        self._tell_money = tell

    async def _money_came(
        self, order_id: UUID, payment: Payment, reference: str, lines: Sequence[Line]
    ) -> Sequence[Answer]:
        call = money_came(
            self._seller.merchant_id, order_id, reference, payment.amount, payment.currency
        )
        # A provider comes again where its callback is not taken.
        receipts = await asyncio.gather(
            *(until_available(lambda: self._tell_money(call)) for _ in range(COPIES))
        )
        return [Answer(201, model_bytes(PaymentRead.from_domain(it))) for it in receipts]

    async def _expire(self, order_id: UUID) -> None:
        """Until the timer has seen it: money that is told next is late for certain."""
        await super()._expire(order_id)
        deadline = time.monotonic() + EXPIRY_SECONDS_MAX
        while await self._still_waits(order_id):
            assert time.monotonic() < deadline, f"order {order_id} does not expire"
            await asyncio.sleep(0.1)

    async def _still_waits(self, order_id: UUID) -> bool:
        async with self._db.read() as tx:
            return bool((await tx.execute(_WAITS, {"id": order_id})).scalar_one())


@asynccontextmanager
async def _order_db(box: Onebox) -> AsyncIterator[Database]:
    """The order service's database, as the service sees it, for every merchant."""
    url = environment(service_named("order"), box.wiring)["ORDER_DATABASE_URL"]
    service = create_service(settings_for(url))
    service.db.acts_for_outside = EVERY_MERCHANT
    try:
        yield service.db
    finally:
        for close in service.closing:
            await close()
        await service.db.close()


async def _live(shop: Shop, box: Onebox, db: Database, seller: Seller) -> list[Buyers]:
    port, tell = int(shop.urls["order"].rpartition(":")[2]), teller(db)
    token = f"Bearer {shop.api_key}"
    callers = [Buyers(port, token, db, seller, tell) for _ in range(CALLERS)]
    # Every so-many-th, so that a short run has all ways to pay in all orders of what happens.
    plots = iter(PLOTS[(number * 7) % len(PLOTS)] for number in range(ORDERS))

    async def work(caller: Buyers) -> None:
        for plot in plots:
            await caller.live(plot)
        caller.close()

    await asyncio.gather(*(work(caller) for caller in callers))
    return callers


_WAITS = text("SELECT status = 'pending_payment' FROM orders WHERE id = :id")
_OPEN = text(
    "SELECT (SELECT count(*) FROM orders WHERE id = ANY(CAST(:ids AS uuid[])) AND status IN "
    "('pending_payment', 'paid', 'on_hold', 'fulfilling', 'refunding')) + (SELECT count(*) "
    "FROM order_refund WHERE order_id = ANY(CAST(:ids AS uuid[])) AND status <> 'done') + "
    "(SELECT count(*) FROM saga_step WHERE order_id = ANY(CAST(:ids AS uuid[])) AND state IN "
    "('intent', 'sent', 'unknown', 'manual'))"
)


async def _until_quiet(db: Database, ids: Sequence[UUID]) -> None:
    deadline, left = time.monotonic() + QUIET_SECONDS_MAX, -1
    while left and time.monotonic() < deadline:
        async with db.read() as tx:
            left = (await tx.execute(_OPEN, {"ids": list(ids)})).scalar_one()
        await asyncio.sleep(0.2)
    assert left == 0, f"{left} orders, refunds and calls are still open"


async def test_money_and_stock_are_exact_through_every_service_whatever_happens_at_once(
    shop: Shop, box: Onebox
):
    product = await shop.stocked_product(codes(UNITS), price=PRICE, unit_cost=COST)
    books = await books_at_rest(shop)
    profile = await shop.get("order", f"/v1/channels/{shop.channel_id}")
    seller = Seller(UUID(profile["merchant_id"]), UUID(shop.channel_id), (product.sku,))
    async with _order_db(box) as db:
        callers = await _live(shop, box, db, seller)
        ids = [order_id for caller in callers for order_id in caller.orders]
        await _until_quiet(db, ids)
        found = await read_tales(db, ids)
        units = await _units(db, ids)
    tales = _whole(found, callers)

    faults = [problem for tale in tales for problem in problems(tale)]
    assert faults == [], f"{len(faults)} problems, the first: {faults[:10]}"
    assert len(set(units)) == len(units), "a unit went to two orders"
    await _stock_is_exact(shop, box, product, units)
    # What the ledger has, too: earned is what was delivered, and nobody's money is left with us.
    await books_moved(shop, books, income=len(units) * PRICE, expense=len(units) * COST)
    _happened(tales)


def _whole(found: dict[UUID, Tale], callers: Sequence[Buyers]) -> list[Tale]:
    told = {order_id: tuple(it) for caller in callers for order_id, it in caller.told.items()}
    cancels = {order_id: tuple(it) for caller in callers for order_id, it in caller.cancels.items()}
    return [
        replace(tale, told=told.get(order_id, ()), cancels=cancels.get(order_id, ()))
        for order_id, tale in found.items()
    ]


async def _units(db: Database, ids: Sequence[UUID]) -> list[str]:
    """What the orders' buyers were given."""
    query = "SELECT units FROM order_delivery WHERE order_id = ANY(CAST(:ids AS uuid[]))"
    async with db.read() as tx:
        rows = (await tx.execute(text(query), {"ids": list(ids)})).scalars().all()
    return [str(unit[0]) for row in rows for unit in row]


async def _stock_is_exact(shop: Shop, box: Onebox, product: Product, units: list[str]) -> None:
    """The vault sold exactly these units, holds none, and has the others on the shelf."""
    deadline, levels = time.monotonic() + 60, {}
    while time.monotonic() < deadline:
        levels = await shop.levels(product.pool_id)
        if levels["reserved"] == 0:
            break
        await asyncio.sleep(0.1)
    assert (levels["reserved"], levels["sold"] + levels["opened"]) == (0, len(units)), levels
    assert levels["available"] == UNITS - len(units), levels
    conservation = await shop.get("inventory-vault", f"/v1/lots/{product.lot_id}/conservation")
    assert conservation["holds"] is True
    url = environment(service_named("inventory-vault"), box.wiring)["INVENTORY_VAULT_DATABASE_URL"]
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        rows = await connection.fetch(
            "SELECT unit_id FROM unit_sale WHERE unit_id = ANY($1::uuid[])", units
        )
    finally:
        await connection.close()
    assert len(rows) == len(units)


def _happened(tales: Sequence[Tale]) -> None:
    """A run in which nothing rare happened would prove nothing."""
    ends = Counter(tale.status for tale in tales)
    story = Counter(kind for tale in tales for kind in tale.timeline)
    for status in ("cancelled", "expired", "completed"):
        assert ends[status] >= len(tales) // 50, ends
    assert story["payment_late"] >= len(tales) // 100, story
    assert story["revived"] >= 1, story  # also depends on what stock is left
    assert story["payment_returned"] >= len(tales) // 20, story
