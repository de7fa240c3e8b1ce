"""Asking the provider: lost callbacks are found, unpaid payments are closed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.service import Service
from order.orders.domain import OrderStatus
from order.saga import service as saga
from tests.order.factories import an_order, placed, state_of
from tests.order.providers.conftest import Push, notices_of, payments_of, run_job
from tests.order.providers.peers.base import ProviderPeer
from tests.order.providers.peers.serving import Mood
from tests.order.providers.rules.base import ASK, UNCLEAR, Rules


class Asking(Rules):
    async def test_a_lost_callback_is_found_by_asking(
        self,
        api: httpx.AsyncClient,
        db: Database,
        service: Service,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> None:
        order = await placed(db)
        pushed = peer.pay(await self.begun(api, order))

        await run_job(service, ASK)

        assert (await state_of(db, order)).status is OrderStatus.PAID
        assert (await push(account["callback_path"], pushed)).status_code == 200
        assert len(await payments_of(db, order.id)) == 1
        assert [(it.source, it.verdict) for it in await notices_of(db)] == [
            ("query", "taken"),
            ("callback", "taken"),
        ]

    async def test_asking_and_callbacks_at_once_are_one_payment(
        self,
        api: httpx.AsyncClient,
        db: Database,
        service: Service,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> None:
        for _ in range(5):
            order = await placed(db)
            pushed = peer.pay(await self.begun(api, order))

            await asyncio.gather(
                run_job(service, ASK), *(push(account["callback_path"], pushed) for _ in range(5))
            )

            assert len(await payments_of(db, order.id)) == 1

    @pytest.mark.parametrize("mood", UNCLEAR)
    async def test_an_unclear_answer_decides_nothing_and_is_asked_for_again(
        self,
        api: httpx.AsyncClient,
        db: Database,
        service: Service,
        peer: ProviderPeer,
        account: dict[str, Any],
        mood: Mood,
    ) -> None:
        order = await placed(db)
        peer.pay(await self.begun(api, order))
        peer.moods = [mood]

        await run_job(service, ASK)
        assert (await state_of(db, order)).status is OrderStatus.PENDING_PAYMENT
        await run_job(service, ASK)

        assert (await state_of(db, order)).status is OrderStatus.PAID
        assert len(await payments_of(db, order.id)) == 1

    async def test_a_payment_is_asked_for_shortly_before_its_order_expires(
        self,
        api: httpx.AsyncClient,
        db: Database,
        service: Service,
        peer: ProviderPeer,
        account: dict[str, Any],
    ) -> None:
        soon = datetime.now(UTC) + timedelta(seconds=32)
        order = await placed(db, an_order(pay_until=soon))
        peer.pay(await self.begun(api, order))

        async with db.read() as tx:
            due = (await tx.execute(text("SELECT next_at FROM payment_checkout"))).scalar_one()

        assert due < soon - timedelta(seconds=service.settings.last_ask_seconds - 2)  # type: ignore[attr-defined]  # order's own settings

    async def test_what_nobody_paid_is_closed_over_there_once_the_order_has_ended(
        self,
        api: httpx.AsyncClient,
        db: Database,
        service: Service,
        peer: ProviderPeer,
        account: dict[str, Any],
    ) -> None:
        order = await placed(db)
        reference = await self.begun(api, order)
        await api.post(f"/v1/orders/{order.id}/cancel", json={})

        await run_job(service, ASK)

        async with db.read() as tx:
            state = (await tx.execute(text("SELECT state FROM payment_checkout"))).scalar_one()
        assert state == "closed"
        assert peer.is_closed(reference)

    async def test_money_for_an_expired_order_is_found_and_recorded(
        self,
        api: httpx.AsyncClient,
        db: Database,
        service: Service,
        peer: ProviderPeer,
        account: dict[str, Any],
    ) -> None:
        order = await placed(db, an_order(pay_until=datetime.now(UTC) + timedelta(seconds=2)))
        peer.pay(await self.begun(api, order))
        async with db.transaction() as tx:
            await tx.execute(text("UPDATE orders SET pay_until = clock_timestamp()"))
            await saga.expire_due(tx, 10)

        await run_job(service, ASK)

        notices = await notices_of(db)
        assert [notice.source for notice in notices] == ["query"]
        assert notices[0].verdict in ("taken", "not_taken")
