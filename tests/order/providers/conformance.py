"""What every payment provider with accounts must pass, held against its peer.

`class TestX(Conformance): provider = "x"` in the provider's own test file is all it takes.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.service import Service
from order.orders.domain import LineStatus, Order, OrderStatus
from order.saga import service as saga
from tests.order.conftest import ApiClient, Consume
from tests.order.factories import a_line, an_order, assessed, failed, placed, state_of
from tests.order.providers.conftest import Push, notices_of, payments_of, run_job
from tests.order.providers.peers.base import ProviderPeer, Pushed
from tests.order.providers.peers.serving import Mood

CALLERS = 20
UNCLEAR = [
    Mood.SILENT,
    Mood.DONE_SILENT,
    Mood.FAULT,
    Mood.DONE_FAULT,
    Mood.GARBAGE,
    Mood.DONE_GARBAGE,
    Mood.DONE_CUT,
    Mood.REDIRECT,
    Mood.HUGE,
    Mood.SLOW,
]
UNCLEAR_REFUNDS = [
    *((0, mood) for mood in UNCLEAR),
    # Where a refund is looked for first, the second request is the one that makes it.
    *((1, mood) for mood in (Mood.DONE_FAULT, Mood.DONE_CUT, Mood.FAULT)),
]
ASK = "ask-for-payments"
PAY_BACK = "pay-back"


class Conformance:
    provider: ClassVar[str]

    @pytest.fixture
    def peer(self, peers: Mapping[str, ProviderPeer]) -> ProviderPeer:
        peers[self.provider].forget()
        return peers[self.provider]

    @pytest.fixture
    async def account(self, api: httpx.AsyncClient, peer: ProviderPeer) -> dict[str, Any]:
        body = {"provider": self.provider, "name": "Ours", **peer.account}
        answer = await api.post("/v1/payment-accounts", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def begin(self, api: httpx.AsyncClient, order: Order, **more: Any) -> httpx.Response:
        body = {"provider": self.provider, "return_url": "https://shop.example/thanks", **more}
        return await api.post(f"/v1/orders/{order.id}/checkout", json=body)

    async def begun(self, api: httpx.AsyncClient, order: Order) -> str:
        """Our reference of the payment over there."""
        answer = await self.begin(api, order)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"]).hex

    # Beginning

    async def test_a_payment_that_is_begun_leads_the_buyer_on(
        self, api: httpx.AsyncClient, db: Database, account: dict[str, Any]
    ) -> None:
        order = await placed(db)

        answer = (await self.begin(api, order)).json()

        ways = [answer[name] for name in ("redirect_url", "code_url", "form", "parameters")]
        assert any(ways)
        assert (answer["state"], answer["amount"]) == ("open", {"amount": 1990, "currency": "CNY"})
        read = await api.get(f"/v1/orders/{order.id}/checkouts/{answer['id']}")
        assert read.json() == answer

    async def test_beginning_many_times_at_once_begins_one_payment(
        self, api: httpx.AsyncClient, db: Database, account: dict[str, Any]
    ) -> None:
        order = await placed(db)

        answers = await asyncio.gather(*(self.begin(api, order) for _ in range(CALLERS)))

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1

    @pytest.mark.parametrize("mood", UNCLEAR)
    async def test_an_unclear_answer_to_beginning_is_cleared_by_beginning_again(
        self,
        api: httpx.AsyncClient,
        db: Database,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
        mood: Mood,
    ) -> None:
        order = await placed(db)
        peer.moods = [mood]

        first = await self.begin(api, order)
        again = await self.begin(api, order, return_url="https://shop.example/other")

        if first.status_code != 201:  # a provider may begin without asking anybody
            assert (first.status_code, first.json()["code"]) == (503, "provider_silent")
        assert again.status_code == 201, again.text
        reference = UUID(again.json()["id"]).hex
        assert (await push(account["callback_path"], peer.pay(reference))).status_code == 200
        assert len(await payments_of(db, order.id)) == 1

    @pytest.mark.parametrize("ending", ["paid", "cancelled", "expired"])
    async def test_an_order_that_waits_for_no_payment_begins_none(
        self,
        api: httpx.AsyncClient,
        db: Database,
        account: dict[str, Any],
        peer: ProviderPeer,
        push: Push,
        ending: str,
    ) -> None:
        seconds = -1 if ending == "expired" else 900
        order = await placed(db, an_order(pay_until=datetime.now(UTC) + timedelta(seconds=seconds)))
        if ending == "paid":
            reference = await self.begun(api, order)
            await push(account["callback_path"], peer.pay(reference))
        if ending == "cancelled":
            await api.post(f"/v1/orders/{order.id}/cancel", json={})

        answer = await self.begin(api, order)

        assert (answer.status_code, answer.json()["code"]) == (409, "checkout_too_late")

    async def test_what_is_wrong_with_beginning_is_said(
        self,
        api: httpx.AsyncClient,
        other_api: httpx.AsyncClient,
        open_api: ApiClient,
        db: Database,
        account: dict[str, Any],
    ) -> None:
        order = await placed(db)

        assert (await self.begin(other_api, order)).json()["code"] == "order_not_found"
        assert (await self.begin(api, order, method="cash")).json()["code"] == (
            "unknown_payment_method"
        )
        assert (await self.begin(await open_api(["orders:read"]), order)).status_code == 403
        free = await placed(db, an_order(lines=[a_line(total=a_line().total * 0)]))
        assert (await self.begin(api, free)).json()["code"] == "nothing_to_pay"
        await api.patch(f"/v1/payment-accounts/{account['id']}", json={"active": False})
        assert (await self.begin(api, order)).json()["code"] == "no_payment_account"

    # Callbacks

    async def test_a_genuine_callback_pays_the_order(
        self,
        api: httpx.AsyncClient,
        db: Database,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> None:
        order = await placed(db)
        reference = await self.begun(api, order)

        answer = await push(account["callback_path"], peer.pay(reference))

        assert answer.status_code == 200, answer.text
        assert (await state_of(db, order)).status is OrderStatus.PAID
        payment = (await payments_of(db, order.id))[0]
        assert (payment.provider, payment.via) == (self.provider, self.provider)
        shown = (await api.get("/v1/payment-notices")).json()["items"]
        assert [(it["verdict"], it["order_id"], it["times"]) for it in shown] == [
            ("taken", str(order.id), 1)
        ]

    async def test_the_same_callback_many_times_at_once_is_one_payment(
        self,
        api: httpx.AsyncClient,
        db: Database,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> None:
        order = await placed(db)
        pushed = peer.pay(await self.begun(api, order))

        answers = await asyncio.gather(
            *(push(account["callback_path"], pushed) for _ in range(CALLERS))
        )

        assert {answer.status_code for answer in answers} == {200}
        assert len(await payments_of(db, order.id)) == 1
        notices = await notices_of(db)
        assert [(notice.verdict, notice.times) for notice in notices] == [("taken", CALLERS)]

    async def test_news_in_the_wrong_order_are_harmless(
        self,
        api: httpx.AsyncClient,
        db: Database,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> None:
        order = await placed(db)
        reference = await self.begun(api, order)
        paid, ended = peer.pay(reference), peer.fail(reference)

        await push(account["callback_path"], ended)
        await push(account["callback_path"], paid)
        await push(account["callback_path"], ended)

        assert (await state_of(db, order)).status is OrderStatus.PAID
        assert len(await payments_of(db, order.id)) == 1
        async with db.read() as tx:
            state = (await tx.execute(text("SELECT state FROM payment_checkout"))).scalar_one()
        assert state == "paid"

    @pytest.mark.parametrize("fault", ["forged", "old", "foreign", "altered", "unsigned"])
    async def test_what_is_not_genuine_is_refused_and_nothing_is_paid(
        self,
        api: httpx.AsyncClient,
        db: Database,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
        fault: str,
    ) -> None:
        order = await placed(db)
        reference = await self.begun(api, order)
        pushed: Pushed | None = peer.pay(reference)
        assert pushed is not None
        match fault:
            case "forged":
                pushed = peer.forged(pushed)
            case "old":
                pushed = peer.old(pushed)
            case "foreign":
                pushed = peer.foreign(reference)
            case "altered":
                pushed = Pushed(pushed.body.replace(b"1", b"2", 1), pushed.headers)
            case "unsigned":
                pushed = peer.unsigned(pushed)
        if pushed is None:
            return  # the protocol has no time in its signature

        answer = await push(account["callback_path"], pushed)

        assert 400 <= answer.status_code < 500
        assert (await state_of(db, order)).status is OrderStatus.PENDING_PAYMENT
        assert [notice.verdict for notice in await notices_of(db)] == ["refused"]

    @pytest.mark.parametrize(
        "body", [b"", b"\x00\xff\xfe", b"{", b"[" * 100_000, b"[]", b"null", b"a=1&a=2&sign=%"]
    )
    async def test_rubbish_is_refused_without_a_fault(
        self, account: dict[str, Any], push: Push, peer: ProviderPeer, body: bytes
    ) -> None:
        for headers in ({}, peer.stray().headers):
            answer = await push(account["callback_path"], Pushed(body, headers))

            assert 400 <= answer.status_code < 500

    async def test_a_body_that_is_too_large_is_refused(
        self, account: dict[str, Any], push: Push
    ) -> None:
        for size in (300_000, 5_000_000):
            answer = await push(account["callback_path"], Pushed(b"x" * size, {}))

            assert answer.status_code == 413

    async def test_refused_callbacks_are_counted_not_hoarded(
        self, db: Database, account: dict[str, Any], push: Push, peer: ProviderPeer
    ) -> None:
        for _ in range(10):
            await push(account["callback_path"], peer.forged(peer.stray()))

        notices = await notices_of(db)
        assert len(notices) <= 2  # two when the hour has just ended
        assert sum(notice.times for notice in notices) == 10

    async def test_a_stray_callback_is_heard_and_recorded(
        self, db: Database, account: dict[str, Any], push: Push, peer: ProviderPeer
    ) -> None:
        answer = await push(account["callback_path"], peer.stray())

        assert answer.status_code == 200
        assert [notice.verdict for notice in await notices_of(db)] == ["unmatched"]

    async def test_another_amount_that_the_provider_denies_is_not_believed(
        self,
        api: httpx.AsyncClient,
        db: Database,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> None:
        order = await placed(db)
        reference = await self.begun(api, order)

        answer = await push(account["callback_path"], peer.lie(reference, amount=1))

        assert answer.status_code >= 400
        assert await payments_of(db, order.id) == []
        assert [notice.verdict for notice in await notices_of(db)] == ["contradicted"]

    async def test_another_amount_is_asked_for_until_the_provider_answers(
        self,
        api: httpx.AsyncClient,
        db: Database,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> None:
        order = await placed(db)
        pushed = peer.pay(await self.begun(api, order), amount=1)
        peer.moods = [Mood.FAULT]

        first = await push(account["callback_path"], pushed)
        assert first.status_code == 503
        assert [notice.verdict for notice in await notices_of(db)] == ["unconfirmed"]
        again = await push(account["callback_path"], pushed)

        assert again.status_code == 200
        notice = (await notices_of(db))[0]
        assert notice.verdict in ("taken", "not_taken")
        assert (notice.amount_minor, notice.times) == (1, 2)
        assert (await state_of(db, order)).status is OrderStatus.PENDING_PAYMENT

    # Asking

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

    # Refunds

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

    # Accounts

    async def test_an_account_never_shows_its_secrets(
        self, api: httpx.AsyncClient, db: Database, account: dict[str, Any], peer: ProviderPeer
    ) -> None:
        listed = await api.get("/v1/payment-accounts")
        async with db.read() as tx:
            row = (await tx.execute(text("SELECT * FROM payment_account"))).one()

        for secret in peer.account["secrets"].values():
            assert secret not in listed.text
            assert secret.encode() not in bytes(row.sealed)
            assert secret not in str(row)
        assert account["secrets"] == sorted(peer.account["secrets"])

    async def test_a_wrong_account_is_refused_with_the_member_named(
        self, api: httpx.AsyncClient, peer: ProviderPeer
    ) -> None:
        for part in ("settings", "secrets"):
            for name in peer.account[part]:
                given = {**peer.account, part: {**peer.account[part], name: "wrong \u4e2d"}}
                body = {"provider": self.provider, "name": "X", **given}
                if name in peer.free_text:
                    continue
                answer = await api.post("/v1/payment-accounts", json=body)

                assert answer.status_code == 422, name
                assert answer.json()["errors"][0]["pointer"].startswith(f"/{part}/{name}")
                assert "wrong" not in answer.text
        unknown = {**peer.account, "settings": {**peer.account["settings"], "colour": "red"}}
        answer = await api.post(
            "/v1/payment-accounts", json={"provider": self.provider, "name": "X", **unknown}
        )
        assert answer.json()["errors"][0]["pointer"] == "/settings/colour"
