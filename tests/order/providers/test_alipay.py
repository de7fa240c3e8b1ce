"""Alipay: the shared rules, its signatures, its amounts, the published vectors."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from sqlalchemy import text

from kit.money import Money
from order import rsa
from order.orders.domain import OrderStatus
from order.providers.alipay import signature
from order.providers.alipay.provider import money, yuan
from tests.order.conftest import Consume
from tests.order.factories import placed, state_of
from tests.order.providers.conformance import Conformance
from tests.order.providers.conftest import payments_of
from tests.order.providers.peers.alipay import APP_ID, AlipayPeer
from tests.order.providers.peers.base import Pushed
from tests.order.providers.peers.keys import keys_of
from tests.order.providers.peers.serving import Mood
from tests.order.providers.rules.asking import (
    is_asked_for_ever_more_rarely_and_then_shown,
    state_of_checkout,
)
from tests.order.providers.rules.base import ASK, PAY_BACK, Scene

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))


class TestAlipay(Conformance):
    provider = "alipay"

    @pytest.fixture
    def alipay(self, peer: AlipayPeer) -> AlipayPeer:
        return peer

    @pytest.mark.parametrize(
        ("method", "name"),
        [("page", "alipay.trade.page.pay"), ("wap", "alipay.trade.wap.pay")],
    )
    async def test_the_buyers_browser_posts_a_form_that_we_signed(
        self, scene: Scene, alipay: AlipayPeer, method: str, name: str
    ) -> None:
        answer = (await scene.begin(await placed(scene.db), method=method)).json()

        form = answer["form"]
        assert answer["form_action"] == f"{alipay.url}/gateway.do?charset=utf-8"
        assert (form["app_id"], form["method"]) == (APP_ID, name)
        assert json.loads(form["biz_content"])["total_amount"] == "19.90"
        assert form["notify_url"].endswith(scene.account["callback_path"])
        text = signature.request_text(form)
        assert rsa.verifies(keys_of("alipay merchant").public, text, form["sign"])

    async def test_the_path_without_an_account_finds_it_by_the_app(
        self, scene: Scene, alipay: AlipayPeer
    ) -> None:
        reference = await scene.begun(order := await placed(scene.db))

        answer = await scene.push_to("/v1/payment-callbacks/alipay", alipay.pay(reference))

        assert (answer.status_code, answer.text) == (200, "success")
        assert answer.headers["content-type"].startswith("text/plain")
        assert len(await payments_of(scene.db, order.id)) == 1

    async def test_who_claims_an_app_of_others_stops_none_of_their_payments(
        self, scene: Scene, alipay: AlipayPeer, other_api: httpx.AsyncClient
    ) -> None:
        settings = {**alipay.account["settings"], "alipay_public_key": keys_of("somebody").public}
        body = {"provider": "alipay", "name": "Theirs", **alipay.account, "settings": settings}
        assert (await other_api.post("/v1/payment-accounts", json=body)).status_code == 201
        reference = await scene.begun(order := await placed(scene.db))

        answer = await scene.push_to("/v1/payment-callbacks/alipay", alipay.pay(reference))

        assert (answer.status_code, answer.text) == (200, "success")
        assert len(await payments_of(scene.db, order.id)) == 1

    async def test_another_app_is_not_ours(self, scene: Scene, alipay: AlipayPeer) -> None:
        pushed = alipay.push({"out_trade_no": "x", "app_id": "2015102700040154"})

        named = await scene.push(pushed)
        unnamed = await scene.push_to("/v1/payment-callbacks/alipay", pushed)

        assert (named.status_code, named.text) == (400, "failure")
        assert (unnamed.status_code, unnamed.json()["code"]) == (409, "no_payment_account")

    async def test_a_field_that_comes_twice_is_refused(
        self, scene: Scene, alipay: AlipayPeer
    ) -> None:
        pushed = alipay.stray()
        twice = Pushed(pushed.body + b"&total_amount=0.01", pushed.headers)

        assert (await scene.push(twice)).status_code == 400

    async def test_finished_and_success_are_one_payment(
        self, scene: Scene, alipay: AlipayPeer
    ) -> None:
        reference = await scene.begun(order := await placed(scene.db))

        await scene.push(alipay.pay(reference))
        finished = {**alipay.trades[reference], "trade_status": "TRADE_FINISHED"}
        answer = await scene.push(alipay.push(finished))

        assert answer.status_code == 200
        assert len(await payments_of(scene.db, order.id)) == 1

    async def test_a_payment_of_which_nothing_was_refunded_is_a_payment(
        self, scene: Scene, alipay: AlipayPeer
    ) -> None:
        """Alipay's own example of a notice has `refund_fee=0.00`."""
        reference = await scene.begun(order := await placed(scene.db))

        alipay.pay(reference)
        answer = await scene.push(alipay.push({**alipay.trades[reference], "refund_fee": "0.00"}))

        assert answer.status_code == 200
        assert len(await payments_of(scene.db, order.id)) == 1

    async def test_a_refund_in_alipays_console_does_not_hide_the_payment(
        self, scene: Scene, alipay: AlipayPeer
    ) -> None:
        """It has no number of ours, and is told of in the payment's state."""
        reference = await scene.begun(order := await placed(scene.db))

        paid = alipay.pay(reference)
        await scene.push(alipay.push({**alipay.trades[reference], "refund_fee": "1.00"}))
        await scene.push(paid)

        assert len(await payments_of(scene.db, order.id)) == 1

    async def test_paid_without_an_amount_that_can_be_read_is_asked_for_again_then_shown(
        self, scene: Scene, alipay: AlipayPeer
    ) -> None:
        reference = await scene.begun(order := await placed(scene.db))
        alipay.pay(reference)
        alipay.trades[reference]["total_amount"] = "19.900"

        await is_asked_for_ever_more_rarely_and_then_shown(scene)

        [wait] = (await scene.api.get("/v1/waits")).json()["items"]
        alipay.trades[reference]["total_amount"] = "19.90"
        await scene.api.post(f"/v1/waits/{wait['id']}/retry", json={"reason": "it can be read"})
        await scene.run(ASK)
        assert (await state_of(scene.db, order)).status is OrderStatus.PAID

    async def test_a_form_that_was_handed_out_is_asked_for_while_it_can_be_paid(
        self, scene: Scene, alipay: AlipayPeer
    ) -> None:
        """Cancelled before it is posted: there is no trade to close. The callback is lost."""
        reference = await scene.begun(order := await placed(scene.db))
        await scene.api.post(f"/v1/orders/{order.id}/cancel", json={})
        await scene.run(ASK)
        assert await state_of_checkout(scene) == "open"

        alipay.pay(reference)
        await scene.run(ASK)

        assert [it.status for it in await payments_of(scene.db, order.id)] == ["surplus"]

    async def test_a_form_that_nobody_posted_in_its_time_is_closed(self, scene: Scene) -> None:
        await scene.begun(order := await placed(scene.db))
        await scene.api.post(f"/v1/orders/{order.id}/cancel", json={})
        await scene.run(ASK)
        async with scene.db.transaction() as tx:
            await tx.execute(text("UPDATE payment_checkout SET expires_at = clock_timestamp()"))

        await scene.run(ASK)

        assert await state_of_checkout(scene) == "closed"

    async def test_what_is_appended_to_a_signed_answer_is_not_believed(
        self, scene: Scene, alipay: AlipayPeer
    ) -> None:
        reference = await scene.begun(order := await placed(scene.db))
        paid = {"trade_no": "2016", "trade_status": "TRADE_SUCCESS", "total_amount": "19.90"}
        alipay.appended = {"code": "10000", "out_trade_no": reference, **paid}

        await scene.run(ASK)

        assert "POST /gateway.do" in alipay.asked
        assert await payments_of(scene.db, order.id) == []

    async def test_a_no_to_a_refund_that_was_made_before_is_not_believed(
        self, scene: Scene, alipay: AlipayPeer, consume: Consume
    ) -> None:
        order = await self.refunding(scene, consume)
        alipay.refund_answers = [
            {"code": "10000", "fund_change": "Y"},
            {"code": "40004", "sub_code": "ACQ.TRADE_HAS_CLOSE"},
        ]
        alipay.moods = [Mood.DONE_SILENT]

        for _ in range(2):
            await scene.run(PAY_BACK)

        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDED

    async def test_an_answer_about_a_refund_of_another_trade_is_not_believed(
        self, scene: Scene, alipay: AlipayPeer, consume: Consume
    ) -> None:
        order = await self.refunding(scene, consume)
        alipay.mixed_up_trade = "2016072021001000000000000000"

        for _ in range(2):  # the refund's own answer, and what is said of it when asked
            await scene.run(PAY_BACK)
        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDING

        alipay.mixed_up_trade = None
        await scene.run(PAY_BACK)
        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDED
        assert len(alipay.refunds) == 1

    @pytest.mark.parametrize("told", ["aop.ACQ.SYSTEM_ERROR", "ACQ.SYSTEM_ERROR"])
    async def test_trouble_over_there_is_no_refusal_of_a_refund(
        self, scene: Scene, alipay: AlipayPeer, consume: Consume, told: str
    ) -> None:
        order = await self.refunding(scene, consume)
        alipay.refund_state = "N"
        alipay.refund_answers = [{"code": "40004", "sub_code": told}]

        await scene.run(PAY_BACK)

        async with scene.db.read() as tx:
            status = (await tx.execute(text("SELECT status FROM order_refund"))).scalar_one()
        assert status == "unknown"
        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDING


def test_the_text_and_the_signature_are_those_of_the_vector():
    fields = dict(parse_qsl(VECTORS["alipay_str"]))
    more = {"sign": VECTORS["alipay_sig"], "sign_type": "RSA2", "buyer_logon_id": ""}
    key = VECTORS["_rsa_test_public_key_pem"]

    text = signature.notice_text({**fields, **more})

    assert text.decode() == VECTORS["alipay_str"]
    assert rsa.verifies(key, text, VECTORS["alipay_sig"])
    assert not rsa.verifies(key, text.replace(b"2.00", b"2.01"), VECTORS["alipay_sig"])
    spoiled = "A" + VECTORS["alipay_sig"][1:]
    assert not rsa.verifies(key, text, spoiled)
    bare = "".join(key.split("-----")[2].split())
    assert rsa.verifies(bare, text, VECTORS["alipay_sig"])


@pytest.mark.parametrize(
    ("minor", "text"),
    [(0, "0.00"), (1, "0.01"), (10, "0.10"), (1990, "19.90"), (10**9, "10000000.00")],
)
def test_amounts_are_exact_both_ways(minor: int, text: str):
    assert yuan(Money(minor, "CNY")) == text
    assert money(text) == Money(minor, "CNY")


@pytest.mark.parametrize("text", ["", "1.234", "-1.00", "1e3", "1,00", " 1", "1.", "\u0661", "NaN"])
def test_what_is_no_amount_is_none(text: str):
    assert money(text) is None


def test_short_amounts_are_read():
    assert (money("2"), money("2.5")) == (Money(200, "CNY"), Money(250, "CNY"))


def test_the_signed_part_of_an_answer_is_taken_byte_for_byte():
    part = '{"code": "10000" , "subject":"\u5927 \\u4e50"}'
    text = f'{{"alipay_trade_query_response": {part},"sign":"x"}}'

    assert signature.answer_part(text, "alipay_trade_query_response") == part
    assert signature.answer_part(text, "alipay_trade_close_response") is None
    assert signature.answer_part('{"a_response":' + "[" * 100_000, "a_response") is None
