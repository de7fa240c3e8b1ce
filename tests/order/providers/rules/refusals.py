"""Payments that a bank refused: risk hears of each once, and of nothing that was only not paid."""

import asyncio

from sqlalchemy import text

from kit.db import Database
from lockstock.order.v1.order_events_pb2 import PaymentFailed
from tests.order.factories import kinds_of, placed
from tests.order.providers.rules.base import ASK, CALLERS, Rules, Scene


async def failures_told(db: Database) -> list[PaymentFailed]:
    async with db.read() as tx:
        query = text("SELECT payload FROM event_log WHERE type LIKE '%PaymentFailed' ORDER BY id")
        return [PaymentFailed.FromString(row.payload) for row in await tx.execute(query)]


class Refusals(Rules):
    async def test_a_refusal_is_told_once_however_often_and_however_it_is_heard(
        self, scene: Scene
    ) -> None:
        order = await placed(scene.db)
        pushed = scene.peer.refuse(await scene.begun(order))
        if pushed is None:
            return  # the protocol never tells it

        answers = await asyncio.gather(*(scene.push(pushed) for _ in range(CALLERS)))
        await scene.run(ASK)

        assert {answer.status_code for answer in answers} == {200}
        [told] = await failures_told(scene.db)
        assert (told.order_id, told.merchant_id) == (str(order.id), str(order.merchant_id))
        assert (told.provider, bool(told.reason)) == (self.provider, True)
        assert await kinds_of(scene.db, order) == ["placed", "payment_failed"]

    async def test_a_refusal_whose_callback_was_lost_is_told_when_the_provider_is_asked(
        self, scene: Scene
    ) -> None:
        order = await placed(scene.db)
        pushed = scene.peer.refuse(await scene.begun(order))
        if pushed is None or not scene.peer.finds_refusals:
            return  # the protocol never tells it

        await scene.run(ASK)
        await scene.push(pushed)

        assert [it.order_id for it in await failures_told(scene.db)] == [str(order.id)]

    async def test_what_nobody_paid_in_time_is_no_refusal(self, scene: Scene) -> None:
        order = await placed(scene.db)
        reference = await scene.begun(order)

        await scene.push(scene.peer.fail(reference))

        assert await failures_told(scene.db) == []

    async def test_what_we_close_ourselves_is_no_refusal(self, scene: Scene) -> None:
        order = await placed(scene.db)
        reference = await scene.begun(order)
        await scene.api.post(f"/v1/orders/{order.id}/cancel", json={})

        await scene.run(ASK)
        await scene.push(scene.peer.fail(reference))

        assert await failures_told(scene.db) == []
