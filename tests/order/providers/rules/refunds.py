"""Giving money back: asked for until it is clear, made once."""

import pytest
from sqlalchemy import text

from order.lines.domain import LineStatus
from order.orders.domain import Order, OrderStatus
from tests.order.conftest import Consume
from tests.order.factories import assessed, failed, placed, state_of
from tests.order.providers.peers.serving import Mood
from tests.order.providers.rules.base import PAY_BACK, UNCLEAR, Rules, Scene

UNCLEAR_REFUNDS = [
    *((0, mood) for mood in UNCLEAR),
    # Where a refund is looked for first, the second request is the one that makes it.
    *((1, mood) for mood in (Mood.DONE_FAULT, Mood.DONE_CUT, Mood.FAULT)),
]


class Refunds(Rules):
    async def refunding(self, scene: Scene, consume: Consume) -> Order:
        """A paid order whose only line has failed."""
        order = await placed(scene.db)
        await scene.push(scene.peer.pay(await scene.begun(order)))
        await consume(assessed(order))
        await consume(failed(order, order.lines[0]))
        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDING
        return order

    async def test_a_refund_goes_back_through_the_account_that_took_the_money(
        self, scene: Scene, consume: Consume
    ) -> None:
        order = await self.refunding(scene, consume)

        await scene.run(PAY_BACK)

        state = await state_of(scene.db, order)
        assert state.status is OrderStatus.REFUNDED
        assert state.lines[0].status is LineStatus.REFUNDED
        assert len(scene.peer.refunds) == 1

    @pytest.mark.parametrize(("place", "mood"), UNCLEAR_REFUNDS)
    async def test_an_unclear_refund_is_asked_for_again_and_made_once(
        self, scene: Scene, consume: Consume, place: int, mood: Mood
    ) -> None:
        order = await self.refunding(scene, consume)
        scene.peer.moods = [*[None] * place, mood]

        for _ in range(2):
            await scene.run(PAY_BACK)

        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDED
        assert len(scene.peer.refunds) == 1

    async def test_a_refund_that_takes_its_time_is_done_when_the_provider_says_so(
        self, scene: Scene, consume: Consume
    ) -> None:
        scene.peer.refund_state = scene.peer.refund_pending
        order = await self.refunding(scene, consume)
        await scene.run(PAY_BACK)
        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDING
        async with scene.db.read() as tx:
            refund_id = (await tx.execute(text("SELECT id FROM order_refund"))).scalar_one()

        told = scene.peer.refunded(refund_id.hex)
        if told is not None:
            assert (await scene.push(told)).status_code == 200
            async with scene.db.read() as tx:
                due = text("SELECT next_at <= clock_timestamp() FROM order_refund")
                assert (await tx.execute(due)).scalar_one()
        await scene.run(PAY_BACK)

        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDED
        assert len(scene.peer.refunds) == 1
