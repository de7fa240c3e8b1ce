"""Callbacks: what is genuine counts once, what is not counts never."""

import asyncio

import pytest
from sqlalchemy import text

from order.orders.domain import OrderStatus
from tests.order.factories import placed, state_of
from tests.order.providers.conftest import notices_of, payments_of
from tests.order.providers.peers.base import Pushed
from tests.order.providers.peers.serving import Mood
from tests.order.providers.rules.base import CALLERS, Rules, Scene


class Callbacks(Rules):
    async def test_a_genuine_callback_pays_the_order(self, scene: Scene) -> None:
        order = await placed(scene.db)
        reference = await scene.begun(order)

        answer = await scene.push(scene.peer.pay(reference))

        assert answer.status_code == 200, answer.text
        assert (await state_of(scene.db, order)).status is OrderStatus.PAID
        payment = (await payments_of(scene.db, order.id))[0]
        assert (payment.provider, payment.via) == (self.provider, self.provider)
        shown = (await scene.api.get("/v1/payment-notices")).json()["items"]
        assert [(it["verdict"], it["order_id"], it["times"]) for it in shown] == [
            ("taken", str(order.id), 1)
        ]

    async def test_the_same_callback_many_times_at_once_is_one_payment(self, scene: Scene) -> None:
        order = await placed(scene.db)
        pushed = scene.peer.pay(await scene.begun(order))

        answers = await asyncio.gather(*(scene.push(pushed) for _ in range(CALLERS)))

        assert {answer.status_code for answer in answers} == {200}
        assert len(await payments_of(scene.db, order.id)) == 1
        notices = await notices_of(scene.db)
        assert [(notice.verdict, notice.times) for notice in notices] == [("taken", CALLERS)]

    async def test_news_in_the_wrong_order_are_harmless(self, scene: Scene) -> None:
        order = await placed(scene.db)
        reference = await scene.begun(order)
        paid, ended = scene.peer.pay(reference), scene.peer.fail(reference)

        await scene.push(ended)
        await scene.push(paid)
        await scene.push(ended)

        assert (await state_of(scene.db, order)).status is OrderStatus.PAID
        assert len(await payments_of(scene.db, order.id)) == 1
        async with scene.db.read() as tx:
            state = (await tx.execute(text("SELECT state FROM payment_checkout"))).scalar_one()
        assert state == "paid"

    @pytest.mark.parametrize("fault", ["forged", "old", "foreign", "altered", "unsigned"])
    async def test_what_is_not_genuine_is_refused_and_nothing_is_paid(
        self, scene: Scene, fault: str
    ) -> None:
        order = await placed(scene.db)
        reference = await scene.begun(order)
        pushed: Pushed | None = scene.peer.pay(reference)
        assert pushed is not None
        match fault:
            case "forged":
                pushed = scene.peer.forged(pushed)
            case "old":
                pushed = scene.peer.old(pushed)
            case "foreign":
                pushed = scene.peer.foreign(reference)
            case "altered":
                pushed = Pushed(pushed.body.replace(b"1", b"2", 1), pushed.headers)
            case "unsigned":
                pushed = scene.peer.unsigned(pushed)
        if pushed is None:
            return  # the protocol has no time in its signature

        answer = await scene.push(pushed)

        assert 400 <= answer.status_code < 500
        assert (await state_of(scene.db, order)).status is OrderStatus.PENDING_PAYMENT
        assert [notice.verdict for notice in await notices_of(scene.db)] == ["refused"]

    @pytest.mark.parametrize(
        "body", [b"", b"\x00\xff\xfe", b"{", b"[" * 100_000, b"[]", b"null", b"a=1&a=2&sign=%"]
    )
    async def test_rubbish_is_refused_without_a_fault(self, scene: Scene, body: bytes) -> None:
        no_headers: dict[str, str] = {}
        for headers in (no_headers, scene.peer.stray().headers):
            answer = await scene.push(Pushed(body, headers))

            assert 400 <= answer.status_code < 500

    async def test_a_body_that_is_too_large_is_refused(self, scene: Scene) -> None:
        for size in (300_000, 5_000_000):
            answer = await scene.push(Pushed(b"x" * size, {}))

            assert answer.status_code == 413

    async def test_refused_callbacks_are_counted_not_hoarded(self, scene: Scene) -> None:
        for _ in range(10):
            await scene.push(scene.peer.forged(scene.peer.stray()))

        notices = await notices_of(scene.db)
        assert len(notices) <= 2  # two when the hour has just ended
        assert sum(notice.times for notice in notices) == 10

    async def test_a_stray_callback_is_heard_and_recorded(self, scene: Scene) -> None:
        answer = await scene.push(scene.peer.stray())

        assert answer.status_code == 200
        assert [notice.verdict for notice in await notices_of(scene.db)] == ["unmatched"]

    async def test_another_amount_that_the_provider_denies_is_not_believed(
        self, scene: Scene
    ) -> None:
        order = await placed(scene.db)
        reference = await scene.begun(order)

        answer = await scene.push(scene.peer.lie(reference, amount=1))

        assert answer.status_code >= 400
        assert await payments_of(scene.db, order.id) == []
        assert [notice.verdict for notice in await notices_of(scene.db)] == ["contradicted"]

    async def test_another_amount_is_asked_for_until_the_provider_answers(
        self, scene: Scene
    ) -> None:
        order = await placed(scene.db)
        pushed = scene.peer.pay(await scene.begun(order), amount=1)
        scene.peer.moods = [Mood.FAULT]

        first = await scene.push(pushed)
        assert first.status_code == 503
        assert [notice.verdict for notice in await notices_of(scene.db)] == ["unconfirmed"]
        again = await scene.push(pushed)

        assert again.status_code == 200
        notice = (await notices_of(scene.db))[0]
        assert notice.verdict == "taken"
        assert (notice.amount_minor, notice.times) == (1, 2)
        assert (await state_of(scene.db, order)).status is OrderStatus.PENDING_PAYMENT
