"""Beginning a payment: once, whatever the answers."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from kit.ids import new_id
from tests.order.conftest import ApiClient
from tests.order.factories import a_line, an_order, placed
from tests.order.providers.conftest import payments_of
from tests.order.providers.peers.serving import Mood
from tests.order.providers.rules.base import CALLERS, UNCLEAR, Rules, Scene


class Beginning(Rules):
    async def test_a_payment_that_is_begun_leads_the_buyer_on(self, scene: Scene) -> None:
        order = await placed(scene.db)

        answer = (await scene.begin(order)).json()

        ways = [answer[name] for name in ("redirect_url", "code_url", "form", "parameters")]
        assert any(ways)
        assert (answer["state"], answer["amount"]) == ("open", {"amount": 1990, "currency": "CNY"})
        read = await scene.api.get(f"/v1/orders/{order.id}/checkouts/{answer['id']}")
        assert read.json() == answer

    async def test_beginning_many_times_at_once_begins_one_payment(self, scene: Scene) -> None:
        order = await placed(scene.db)

        answers = await asyncio.gather(*(scene.begin(order) for _ in range(CALLERS)))

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1

    @pytest.mark.parametrize("mood", UNCLEAR)
    async def test_an_unclear_answer_to_beginning_is_cleared_by_beginning_again(
        self, scene: Scene, mood: Mood
    ) -> None:
        order = await placed(scene.db)
        scene.peer.moods = [mood]

        first = await scene.begin(order)
        again = await scene.begin(order, return_url="https://shop.example/other")

        if first.status_code != 201:  # a provider may begin without asking anybody
            assert (first.status_code, first.json()["code"]) == (503, "provider_silent")
        assert again.status_code == 201, again.text
        reference = UUID(again.json()["id"]).hex
        assert (await scene.push(scene.peer.pay(reference))).status_code == 200
        assert len(await payments_of(scene.db, order.id)) == 1

    @pytest.mark.parametrize("ending", ["paid", "cancelled", "expired"])
    async def test_an_order_that_waits_for_no_payment_begins_none(
        self, scene: Scene, ending: str
    ) -> None:
        seconds = -1 if ending == "expired" else 900
        order = await placed(
            scene.db, an_order(pay_until=datetime.now(UTC) + timedelta(seconds=seconds))
        )
        if ending == "paid":
            reference = await scene.begun(order)
            await scene.push(scene.peer.pay(reference))
        if ending == "cancelled":
            await scene.api.post(f"/v1/orders/{order.id}/cancel", json={})

        answer = await scene.begin(order)

        assert (answer.status_code, answer.json()["code"]) == (409, "checkout_too_late")

    async def test_what_is_wrong_with_beginning_is_said(
        self, scene: Scene, other_api: httpx.AsyncClient, open_api: ApiClient
    ) -> None:
        order = await placed(scene.db)

        other = replace(scene, api=other_api)
        reader = replace(scene, api=await open_api(["orders:read"]))
        assert (await other.begin(order)).json()["code"] == "order_not_found"
        assert (await scene.begin(order, method="cash")).json()["code"] == (
            "unknown_payment_method"
        )
        assert (await reader.begin(order)).status_code == 403
        free = await placed(scene.db, an_order(lines=[a_line(total=a_line().total * 0)]))
        assert (await scene.begin(free)).json()["code"] == "nothing_to_pay"
        await scene.api.patch(f"/v1/payment-accounts/{scene.account['id']}", json={"active": False})
        assert (await scene.begin(order)).json()["code"] == "no_payment_account"

    async def test_an_idempotency_key_replays_and_refuses_another_body(self, scene: Scene) -> None:
        order = await placed(scene.db)
        path, headers = f"/v1/orders/{order.id}/checkout", {"Idempotency-Key": str(new_id())}
        body = {"provider": self.provider}

        answers = await asyncio.gather(
            *(scene.api.post(path, json=body, headers=headers) for _ in range(5))
        )
        other = await scene.api.post(path, json={**body, "payer": "x"}, headers=headers)

        settled = [answer for answer in answers if answer.status_code == 201]
        assert len({answer.content for answer in settled}) == 1
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert other.json()["code"] == "idempotency_key_reused"
