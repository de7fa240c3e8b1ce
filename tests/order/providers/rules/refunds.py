"""Giving money back: asked for until it is clear, made once."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.service import Service
from order.lines.domain import LineStatus
from order.orders.domain import Order, OrderStatus
from tests.order.conftest import Consume
from tests.order.factories import assessed, failed, placed, state_of
from tests.order.providers.conftest import Push, run_job
from tests.order.providers.peers.base import ProviderPeer
from tests.order.providers.peers.serving import Mood
from tests.order.providers.rules.base import PAY_BACK, UNCLEAR, Rules

UNCLEAR_REFUNDS = [
    *((0, mood) for mood in UNCLEAR),
    # Where a refund is looked for first, the second request is the one that makes it.
    *((1, mood) for mood in (Mood.DONE_FAULT, Mood.DONE_CUT, Mood.FAULT)),
]


class Refunds(Rules):
    async def refunding(
        self,
        api: httpx.AsyncClient,
        db: Database,
        consume: Consume,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> Order:
        """A paid order whose only line has failed."""
        order = await placed(db)
        await push(account["callback_path"], peer.pay(await self.begun(api, order)))
        await consume(assessed(order))
        await consume(failed(order, order.lines[0]))
        assert (await state_of(db, order)).status is OrderStatus.REFUNDING
        return order

    async def test_a_refund_goes_back_through_the_account_that_took_the_money(
        self,
        api: httpx.AsyncClient,
        db: Database,
        service: Service,
        consume: Consume,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> None:
        order = await self.refunding(api, db, consume, peer, account, push)

        await run_job(service, PAY_BACK)

        state = await state_of(db, order)
        assert state.status is OrderStatus.REFUNDED
        assert state.lines[0].status is LineStatus.REFUNDED
        assert len(peer.refunds) == 1

    @pytest.mark.parametrize(("place", "mood"), UNCLEAR_REFUNDS)
    async def test_an_unclear_refund_is_asked_for_again_and_made_once(
        self,
        api: httpx.AsyncClient,
        db: Database,
        service: Service,
        consume: Consume,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
        place: int,
        mood: Mood,
    ) -> None:
        order = await self.refunding(api, db, consume, peer, account, push)
        peer.moods = [*[None] * place, mood]

        for _ in range(2):
            await run_job(service, PAY_BACK)

        assert (await state_of(db, order)).status is OrderStatus.REFUNDED
        assert len(peer.refunds) == 1

    async def test_a_refund_that_takes_its_time_is_done_when_the_provider_says_so(
        self,
        api: httpx.AsyncClient,
        db: Database,
        service: Service,
        consume: Consume,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> None:
        peer.refund_state = peer.refund_pending
        order = await self.refunding(api, db, consume, peer, account, push)
        await run_job(service, PAY_BACK)
        assert (await state_of(db, order)).status is OrderStatus.REFUNDING
        async with db.read() as tx:
            refund_id = (await tx.execute(text("SELECT id FROM order_refund"))).scalar_one()

        told = peer.refunded(refund_id.hex)
        if told is not None:
            assert (await push(account["callback_path"], told)).status_code == 200
            async with db.read() as tx:
                due = text("SELECT next_at <= clock_timestamp() FROM order_refund")
                assert (await tx.execute(due)).scalar_one()
        await run_job(service, PAY_BACK)

        assert (await state_of(db, order)).status is OrderStatus.REFUNDED
        assert len(peer.refunds) == 1
