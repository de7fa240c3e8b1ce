"""Asking the provider: lost callbacks are found, unpaid payments are closed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from order.callbacks.service import ASKS_MAX
from order.orders.domain import OrderStatus
from order.saga import service as saga
from tests.order.factories import an_order, placed, state_of
from tests.order.providers.conftest import notices_of, payments_of
from tests.order.providers.peers.serving import Mood
from tests.order.providers.rules.base import ASK, UNCLEAR, Rules, Scene

# What an account holds that was sealed under a key that is lost.
_LOSE_SECRETS = text("UPDATE payment_account SET key_id = 'lost'")
_STAND_BEFORE_THE_LAST_QUESTION = text("UPDATE payment_checkout SET asked = :asked")


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
        scene.peer.visit(reference)
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

    async def test_what_stays_unclear_waits_for_somebody_who_has_it_asked_again(
        self, scene: Scene
    ) -> None:
        order = await placed(scene.db)
        scene.peer.pay(await scene.begun(order))
        await before_the_last_question(scene)
        scene.peer.moods = [Mood.FAULT]

        await scene.run(ASK)
        asked = len(scene.peer.asked)
        await scene.run(ASK)

        assert await state_of_checkout(scene) == "manual"
        assert len(scene.peer.asked) == asked
        [wait] = (await scene.api.get("/v1/waits", params={"kind": "checkout"})).json()["items"]
        assert (wait["order_id"], wait["what"]) == (str(order.id), scene.peer.name)

        reason = {"reason": "they are up again"}
        retried = await scene.api.post(f"/v1/waits/{wait['id']}/retry", json=reason)
        await scene.run(ASK)

        assert retried.status_code == 200
        assert (await state_of(scene.db, order)).status is OrderStatus.PAID
        assert len(await payments_of(scene.db, order.id)) == 1

    async def test_paid_with_an_amount_that_no_column_takes_waits_for_somebody(
        self, scene: Scene
    ) -> None:
        order = await placed(scene.db)
        pushed = scene.peer.pay(await scene.begun(order), amount=2**63)
        await before_the_last_question(scene)

        await scene.run(ASK)
        answer = await scene.push(pushed)

        assert await state_of_checkout(scene) == "manual"
        assert answer.status_code == 503
        assert await payments_of(scene.db, order.id) == []

    async def test_a_callback_still_counts_for_what_waits_for_somebody(self, scene: Scene) -> None:
        order = await placed(scene.db)
        pushed = scene.peer.pay(await scene.begun(order))
        await before_the_last_question(scene)
        scene.peer.moods = [Mood.FAULT]
        await scene.run(ASK)

        await scene.push(pushed)

        assert await state_of_checkout(scene) == "paid"
        assert (await state_of(scene.db, order)).status is OrderStatus.PAID

    async def test_what_stays_unclear_is_given_up_by_force_only(self, scene: Scene) -> None:
        await scene.begun(await placed(scene.db))
        await before_the_last_question(scene)
        scene.peer.moods = [Mood.FAULT]
        await scene.run(ASK)
        [wait] = (await scene.api.get("/v1/waits")).json()["items"]
        path, reason = f"/v1/waits/{wait['id']}/skip", {"reason": "nothing came, by phone"}

        unforced = await scene.api.post(path, json=reason)
        forced = await scene.api.post(path, json={**reason, "force": True})

        assert (unforced.status_code, unforced.json()["code"]) == (409, "outcome_unknown")
        assert forced.status_code == 200
        assert await state_of_checkout(scene) == "closed"
        assert (await scene.api.get("/v1/waits")).json()["items"] == []

    async def test_an_account_that_cannot_be_opened_is_tried_ever_more_rarely(
        self, scene: Scene
    ) -> None:
        order = await placed(scene.db)
        scene.peer.pay(await scene.begun(order))
        async with scene.db.transaction() as tx:
            await tx.execute(_LOSE_SECRETS)

        await is_asked_for_ever_more_rarely_and_then_shown(scene)

    async def test_what_cannot_be_closed_is_not_shown_as_closed(self, scene: Scene) -> None:
        order = await placed(scene.db)
        scene.peer.visit(await scene.begun(order))
        await scene.api.post(f"/v1/orders/{order.id}/cancel", json={})
        await before_the_last_question(scene)
        scene.peer.moods = [None, Mood.FAULT]

        await scene.run(ASK)

        assert await state_of_checkout(scene) == "manual"
        [wait] = (await scene.api.get("/v1/waits")).json()["items"]
        assert "closed" not in (wait["last_error"] or "")


async def is_asked_for_ever_more_rarely_and_then_shown(scene: Scene) -> None:
    """The one payment that was begun, of which nothing clear is heard."""
    async with scene.db.transaction() as tx:
        await tx.execute(text("UPDATE payment_checkout SET asked = 4"))
    await scene.run(ASK)
    query = text("SELECT next_at - clock_timestamp() FROM payment_checkout")
    async with scene.db.read() as tx:
        assert (await tx.execute(query)).scalar_one() > timedelta(seconds=120)

    await before_the_last_question(scene)
    await scene.run(ASK)
    assert await state_of_checkout(scene) == "manual"


async def before_the_last_question(scene: Scene) -> None:
    async with scene.db.transaction() as tx:
        await tx.execute(_STAND_BEFORE_THE_LAST_QUESTION, {"asked": ASKS_MAX - 1})


async def state_of_checkout(scene: Scene) -> str:
    async with scene.db.read() as tx:
        found: str = (await tx.execute(text("SELECT state FROM payment_checkout"))).scalar_one()
    return found
