"""A revival happens once, with the whole price, whatever else happens at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Database
from order.orders.domain import Order, OrderStatus
from order.payments.domain import Receipt
from order.saga import service as saga
from order.step_kinds import StepKind
from tests.order.factories import (
    SHOP,
    state_of,
)
from tests.order.late_payments.making import (
    PRICE,
    an_ended_order,
    came,
    news_of,
    owed,
    sells,
)
from tests.order.payments.test_service import figures, given_back
from tests.order.steps.making import make_due, run


async def test_the_database_revives_an_order_once_and_only_with_its_whole_price(
    db: Database, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    order = await an_ended_order(db, api)
    await came(db, order)
    pay = (
        "UPDATE orders SET status = 'paid', payment_id = (SELECT id FROM order_payment), "
        "paid_at = clock_timestamp()"
    )
    revive = "UPDATE orders SET revived_at = clock_timestamp()"

    async def refused(*statements: str) -> bool:
        try:
            async with db.transaction() as tx:
                for statement in statements:
                    await tx.execute(text(statement))
        except IntegrityError as error:
            return "cannot" in str(error)
        return False

    assert await refused(pay), "not revived"
    assert await refused(revive, pay), "its money is not taken"
    assert await refused("UPDATE orders SET reservation_id = NULL"), "not revived"
    await run(db, kinds)
    assert await refused(revive), "revived already"
    assert await refused("UPDATE orders SET reservation_id = NULL"), "revived already"
    assert (await state_of(db, order)).status is OrderStatus.PAID


async def _all_at_once(
    db: Database, api: httpx.AsyncClient, kinds: dict[str, StepKind], order: Order
) -> Sequence[Any]:
    async def expire() -> None:
        async with db.transaction() as tx:
            await saga.expire_due(tx, 100)

    async def work() -> None:
        for _ in range(3):
            await run(db, kinds)

    return await asyncio.gather(
        *(came(db, order, reference=f"{order.id}-{name}") for name in "ab" for _ in range(5)),
        *(api.post(f"/v1/orders/{order.id}/cancel") for _ in range(5)),
        expire(),
        work(),
    )


async def test_late_payment_second_payment_cancel_and_callbacks_five_times_each(
    db: Database, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    await sells(api)
    await api.patch(f"/v1/channels/{SHOP}", json={"late_payments": "expired_or_cancelled"})
    ends = set()
    for number in range(12):
        order = await an_ended_order(db, api) if number % 3 else await _due(db, api)
        answers = await _all_at_once(db, api, kinds, order)
        await make_due(db)
        await run(db, kinds)
        await given_back(db)

        state = await state_of(db, order)
        ends.add(state.status)
        receipts = {answer for answer in answers[:10] if isinstance(answer, Receipt)}
        assert len(receipts) == 2
        assert {answer.status_code for answer in answers[10:15]} <= {200, 409}
        assert figures(state) == (2 * PRICE, 0, PRICE, PRICE)
        assert await owed(db, order) == {"CNY": PRICE}
        assert (await news_of(db, order)).count("OrderPaid") == 1
    assert ends == {OrderStatus.PAID}


async def _due(db: Database, api: httpx.AsyncClient) -> Order:
    """Over this moment, and nobody has seen it yet."""
    order = await an_ended_order(db, api)
    async with db.transaction() as tx:
        await tx.execute(text("ALTER TABLE orders DISABLE TRIGGER USER"))
        back = "UPDATE orders SET status = 'pending_payment' WHERE id = :id"
        await tx.execute(text(back), {"id": order.id})
        await tx.execute(text("ALTER TABLE orders ENABLE TRIGGER USER"))
    return order
