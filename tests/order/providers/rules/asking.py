"""Asking the provider: lost callbacks are found, unpaid payments are closed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from order.orders.domain import OrderStatus
from order.saga import service as saga
from tests.order.factories import an_order, placed, state_of
from tests.order.providers.conftest import notices_of, payments_of
from tests.order.providers.peers.serving import Mood
from tests.order.providers.rules.base import ASK, UNCLEAR, Rules, Scene


class Asking(Rules):
    async def test_a_lost_callback_is_found_by_asking(self, scene: Scene) -> None:
        order = await placed(scene.db)
        pushed = scene.peer.pay(await scene.begun(order))

        await scene.run(ASK)

        assert (await state_of(scene.db, order)).status is OrderStatus.PAID
        assert (await scene.push(pushed)).status_code == 200
        assert len(await payments_of(scene.db, order.id)) == 1
        assert [(it.source, it.verdict) for it in await notices_of(scene.db)] == [
            ("query", "taken"),
            ("callback", "taken"),
        ]

    async def test_asking_and_callbacks_at_once_are_one_payment(self, scene: Scene) -> None:
        for _ in range(5):
            order = await placed(scene.db)
            pushed = scene.peer.pay(await scene.begun(order))

            await asyncio.gather(scene.run(ASK), *(scene.push(pushed) for _ in range(5)))

            assert len(await payments_of(scene.db, order.id)) == 1

    @pytest.mark.parametrize("mood", UNCLEAR)
    async def test_an_unclear_answer_decides_nothing_and_is_asked_for_again(
        self, scene: Scene, mood: Mood
    ) -> None:
        order = await placed(scene.db)
        scene.peer.pay(await scene.begun(order))
        scene.peer.moods = [mood]

        await scene.run(ASK)
        assert (await state_of(scene.db, order)).status is OrderStatus.PENDING_PAYMENT
        await scene.run(ASK)

        assert (await state_of(scene.db, order)).status is OrderStatus.PAID
        assert len(await payments_of(scene.db, order.id)) == 1

    async def test_a_payment_is_asked_for_shortly_before_its_order_expires(
        self, scene: Scene
    ) -> None:
        soon = datetime.now(UTC) + timedelta(seconds=32)
        order = await placed(scene.db, an_order(pay_until=soon))
        scene.peer.pay(await scene.begun(order))

        async with scene.db.read() as tx:
            due = (await tx.execute(text("SELECT next_at FROM payment_checkout"))).scalar_one()

        assert due < soon - timedelta(seconds=scene.service.settings.last_ask_seconds - 2)  # type: ignore[attr-defined]  # order's own settings

    async def test_what_nobody_paid_is_closed_over_there_once_the_order_has_ended(
        self, scene: Scene
    ) -> None:
        order = await placed(scene.db)
        reference = await scene.begun(order)
        await scene.api.post(f"/v1/orders/{order.id}/cancel", json={})

        await scene.run(ASK)

        async with scene.db.read() as tx:
            state = (await tx.execute(text("SELECT state FROM payment_checkout"))).scalar_one()
        assert state == "closed"
        assert scene.peer.is_closed(reference)

    async def test_money_for_an_expired_order_is_found_and_recorded(self, scene: Scene) -> None:
        order = await placed(scene.db, an_order(pay_until=datetime.now(UTC) + timedelta(seconds=2)))
        scene.peer.pay(await scene.begun(order))
        async with scene.db.transaction() as tx:
            await tx.execute(text("UPDATE orders SET pay_until = clock_timestamp()"))
            await saga.expire_due(tx, 10)

        await scene.run(ASK)

        notices = await notices_of(scene.db)
        assert [notice.source for notice in notices] == ["query"]
        assert notices[0].verdict == "taken"
