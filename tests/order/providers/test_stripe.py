"""Stripe: the shared rules, its signature, its events."""

import asyncio
import hashlib
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from kit.money import Money
from lockstock.order.v1.order_events_pb2 import PaymentReceived, RefundMade
from order.failed_payments.domain import FAILED_MAX
from order.orders.domain import OrderStatus
from order.provider import CallbackRefused
from order.providers.stripe import signature
from tests.order.conftest import Consume
from tests.order.factories import a_line, an_order, assessed, failed, placed, state_of
from tests.order.providers.conformance import Conformance
from tests.order.providers.conftest import payments_of
from tests.order.providers.peers.stripe import WEBHOOK_SECRET, StripePeer
from tests.order.providers.rules.base import ASK, PAY_BACK, Scene
from tests.order.providers.rules.refusals import failures_told

NOW = datetime.fromtimestamp(1_700_000_000, UTC)
# Computed from the documented rule for this secret, time and body.
SHORT = "ceb8863f7208fa249a6cd8f951e993c7563412aca65866f6272283debe143ab3"
# The body and the signature of a published test, recomputed from the rule.
READER = (
    b'{\n  "id": "evt_test_webhook",\n  "object": "event",\n'
    b'  "data": { "object": { "id": "rdr_123", "object": "terminal.reader" } }\n}'
)
READER_HASH = "3b538d7c82820105fcdc02c25620eba837c401a7d6256f877fc0c4875a73bc93"
READER_SIGNATURE = "3bfab77baf5f7b6991a46c9b53b6547d7afc56148b10468fcad9f35c1992ffbd"


class TestStripe(Conformance):
    provider = "stripe"

    @pytest.fixture
    def stripe(self, peer: StripePeer) -> StripePeer:
        return peer

    async def test_each_card_that_is_declined_is_told_and_the_next_may_pay(
        self, scene: Scene, stripe: StripePeer
    ) -> None:
        reference = await scene.begun(order := await placed(scene.db))
        first, second = stripe.decline(reference), stripe.decline(reference)

        for pushed in (first, second, first):
            assert (await scene.push(pushed)).status_code == 200
        await scene.push(stripe.pay(reference))

        told = await failures_told(scene.db)
        assert [(it.order_id, it.reason) for it in told] == [
            (str(order.id), "insufficient_funds")
        ] * 2
        assert (await state_of(scene.db, order)).status is OrderStatus.PAID

    async def test_what_is_declined_and_no_card_is_not_told_twice(
        self, scene: Scene, stripe: StripePeer
    ) -> None:
        reference = await scene.begun(await placed(scene.db))

        await scene.push(stripe.decline(reference, method="sepa_debit"))
        await scene.push(stripe.refuse(reference))

        assert len(await failures_told(scene.db)) == 1

    async def test_of_one_order_a_hundred_refusals_are_told_and_no_more(
        self, scene: Scene, stripe: StripePeer
    ) -> None:
        reference = await scene.begun(order := await placed(scene.db))
        async with scene.db.transaction() as tx:
            await tx.execute(
                text(
                    "INSERT INTO failed_payment (order_id, merchant_id, provider, reference) "
                    "SELECT :id, :merchant_id, 'stripe', n::text FROM generate_series(2, :most) n"
                ),
                {"id": order.id, "merchant_id": order.merchant_id, "most": FAILED_MAX},
            )

        for _ in range(3):
            await scene.push(stripe.decline(reference))

        assert len(await failures_told(scene.db)) == 1

    @pytest.mark.parametrize(
        ("currency", "ours", "theirs"),
        [
            *[("ISK", 500, 50_000), ("UGX", 7000, 700_000), ("MGA", 50_000, 500)],
            *[("JPY", 500, 500), ("KWD", 12_340, 12_340)],
        ],
    )
    async def test_amounts_are_told_in_the_units_that_stripe_counts_in(
        self,
        scene: Scene,
        stripe: StripePeer,
        consume: Consume,
        currency: str,
        ours: int,
        theirs: int,
    ) -> None:
        """Króna and shilling as if they had cents, the ariary as if it had none."""
        price = Money(ours, currency)
        order = await placed(scene.db, an_order(lines=[a_line(total=price)], total=price))
        reference = await scene.begun(order)
        assert stripe.session_of(reference)["amount_total"] == theirs

        await scene.push(stripe.pay(reference))
        await consume(assessed(order))
        paid = await state_of(scene.db, order)
        assert (paid.status, paid.held) == (OrderStatus.FULFILLING, price)

        await consume(failed(order, order.lines[0]))
        await scene.run(PAY_BACK)
        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDED
        assert [it["amount"] for it in stripe.refunds.values()] == [theirs]

    @pytest.mark.parametrize(("currency", "minor"), [("MGA", 50_050), ("KWD", 12_345)])
    async def test_what_stripe_cannot_charge_is_refused(
        self, scene: Scene, currency: str, minor: int
    ) -> None:
        """No part of an ariary; of dinars with three decimals only tens of the last."""
        price = Money(minor, currency)
        order = await placed(scene.db, an_order(lines=[a_line(total=price)], total=price))

        assert (await scene.begin(order)).json()["code"] == "checkout_refused"

    @pytest.mark.parametrize(("before", "after"), [(150, 0), (0, 250)])
    async def test_a_refund_is_found_and_made_among_hundreds_of_the_same_payment(
        self, scene: Scene, stripe: StripePeer, consume: Consume, before: int, after: int
    ) -> None:
        order = await placed(scene.db)
        reference = await scene.begun(order)
        await scene.push(stripe.pay(reference))
        await consume(assessed(order))
        await consume(failed(order, order.lines[0]))
        intent = stripe.session_of(reference)["payment_intent"]
        stripe.add_refunds(intent, before)
        stripe.refund_state = "pending"
        await scene.run(PAY_BACK)
        stripe.add_refunds(intent, after)
        stripe.forget_keys()
        for refund in stripe.refunds.values():
            refund["status"] = "succeeded"

        await scene.run(PAY_BACK)

        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDED
        assert len(stripe.refunds) == before + 1 + after

    async def test_a_session_that_the_key_of_another_account_does_not_see_is_not_over(
        self, scene: Scene, stripe: StripePeer
    ) -> None:
        """A merchant gives the account another key while a payment is under way."""
        stripe.pay(await scene.begun(order := await placed(scene.db)))
        seen, stripe.sessions = stripe.sessions, {}

        await scene.run(ASK)
        stripe.sessions = seen
        await scene.run(ASK)

        assert (await state_of(scene.db, order)).status is OrderStatus.PAID
        assert len(await payments_of(scene.db, order.id)) == 1

    async def test_a_refund_that_fails_after_it_was_made_is_money_that_somebody_must_give_back(
        self, scene: Scene, stripe: StripePeer, consume: Consume
    ) -> None:
        order = await self.refunding(scene, consume)
        await scene.run(PAY_BACK)
        [made] = stripe.refunds.values()
        made |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        news, again = (stripe.push(f"refund.{it}", made) for it in ("failed", "updated"))

        answers = await asyncio.gather(*(scene.push(it) for it in (news, again) * 5))
        await scene.run(PAY_BACK)

        assert {answer.status_code for answer in answers} == {200}
        [_, back] = sorted(await payments_of(scene.db, order.id), key=lambda it: it.paid_at)
        assert (back.provider_reference, back.amount_minor) == (
            f"refund:{await first(scene)}",
            1990,
        )
        assert len(stripe.refunds) == 1
        state = await state_of(scene.db, order)
        assert (state.status, state.lines[0].refunded_minor) == (OrderStatus.REFUNDED, 1990)
        [wait] = (await scene.api.get("/v1/waits")).json()["items"]
        assert (wait["kind"], wait["state"], wait["order_id"]) == (
            "refund",
            "manual",
            str(order.id),
        )
        assert await told(scene) == [("PaymentReceived", 1990)]

        path, reason = f"/v1/waits/{wait['id']}/settle", {"reason": "paid to their bank"}
        settled = await scene.api.post(path, json=reason)

        assert settled.status_code == 200, settled.text
        assert await told(scene) == [("PaymentReceived", 1990), ("RefundMade", 1990)]
        statuses = [it.status for it in await payments_of(scene.db, order.id)]
        assert sorted(statuses) == ["returned", "taken"]
        assert (await scene.api.get("/v1/waits")).json()["items"] == []

    async def test_a_refund_that_failed_and_was_given_back_by_hand_does_not_come_back(
        self, scene: Scene, stripe: StripePeer, consume: Consume
    ) -> None:
        """One of the two events that tell of it is late."""
        stripe.refund_state = "failed"
        order = await self.refunding(scene, consume)
        await scene.run(PAY_BACK)
        [wait] = (await scene.api.get("/v1/waits")).json()["items"]
        path, reason = f"/v1/waits/{wait['id']}/settle", {"reason": "paid to their bank"}
        assert (await scene.api.post(path, json=reason)).status_code == 200
        [made] = stripe.refunds.values()

        answer = await scene.push(stripe.push("refund.updated", made))

        assert answer.status_code == 200
        assert len(await payments_of(scene.db, order.id)) == 1
        assert await told(scene) == []

    async def test_a_refund_that_fails_while_it_is_asked_for_is_told_of_again(
        self, scene: Scene, stripe: StripePeer, consume: Consume
    ) -> None:
        stripe.refund_state = stripe.refund_pending
        order = await self.refunding(scene, consume)
        await scene.run(PAY_BACK)
        async with scene.db.transaction() as tx:
            await tx.execute(text("UPDATE order_refund SET status = 'sent'"))
        [made] = stripe.refunds.values()
        made["status"] = "failed"
        pushed = stripe.push("refund.failed", made)

        assert (await scene.push(pushed)).status_code == 503
        async with scene.db.transaction() as tx:  # the answer from before
            await tx.execute(
                text("UPDATE order_refund SET status = 'done', done_at = clock_timestamp()")
            )
        assert (await scene.push(pushed)).status_code == 200

        assert len(await payments_of(scene.db, order.id)) == 2


async def first(scene: Scene) -> object:
    query = text("SELECT id FROM order_refund ORDER BY created_at, id LIMIT 1")
    async with scene.db.read() as tx:
        return (await tx.execute(query)).scalar_one()


async def told(scene: Scene) -> list[tuple[str, int]]:
    """What the books hear of money that is not the order's."""
    query = text(
        "SELECT type, payload FROM event_log WHERE type LIKE '%PaymentReceived' "
        "OR type LIKE '%RefundMade' ORDER BY id"
    )
    async with scene.db.read() as tx:
        rows = list(await tx.execute(query))
    return [
        (kind.DESCRIPTOR.name, kind.FromString(row.payload).amount.amount_minor)
        for row in rows
        for kind in (PaymentReceived, RefundMade)
        if row.type.endswith(kind.DESCRIPTOR.name)
    ]


def test_the_signatures_are_those_of_the_vectors():
    assert signature.sign(WEBHOOK_SECRET, "1700000000", b"{}") == SHORT
    assert hashlib.sha256(READER).hexdigest() == READER_HASH
    assert signature.sign(WEBHOOK_SECRET, "1700000000", READER) == READER_SIGNATURE
    check(f"t=1700000000,v1={READER_SIGNATURE}", body=READER)


def check(header: str, *, body: bytes = b"{}", now: datetime = NOW, secrets=(WEBHOOK_SECRET,)):
    signature.verify(header, body, secrets, now)


def refusal(header: str, **more: object) -> str:
    with pytest.raises(CallbackRefused) as refused:
        check(header, **more)  # type: ignore[arg-type]  # the parameters of check
    return refused.value.why


def test_any_of_the_secrets_and_any_of_the_signatures_will_do():
    check(f"t=1700000000,v1={SHORT}")
    check(f"t=1700000000,v1={'0' * 64},v1={SHORT},v0=ignored,v9=unknown")
    check(f"t=1700000000,v1={SHORT}", secrets=("whsec_new", WEBHOOK_SECRET))


def test_the_tolerance_is_five_minutes_backwards():
    edge = datetime.fromtimestamp(1_700_000_300, UTC)
    late = datetime.fromtimestamp(1_700_000_301, UTC)

    check(f"t=1700000000,v1={SHORT}", now=edge)
    assert refusal(f"t=1700000000,v1={SHORT}", now=late) == "expired"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (f"t=1700000001,v1={SHORT}", b"{}"),
        (f"t=1700000000,v1={SHORT}", b"{ }"),
        (f"t=1700000000,v1={SHORT[:-1]}4", b"{}"),
        (f"t=1700000000,v1={SHORT.upper()}", b"{}"),
    ],
)
def test_one_changed_byte_is_a_forgery(header: str, body: bytes):
    assert refusal(header, body=body) == "forged"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        f"v1={SHORT}",
        f"t=-1700000000,v1={SHORT}",
        f"t=1700000000000,v1={SHORT}",
        f"t=later,v1={SHORT}",
        f"t=\u0661\u0667,v1={SHORT}",
        f"t=1700000000,t=1700000000,v1={SHORT}",
        f"t=1700000000,v0={SHORT}",
        f"t=1700000000,v1={SHORT}," + ",".join([f"v1={SHORT}"] * 20),
    ],
)
def test_a_header_that_is_none_is_refused(header: str):
    assert refusal(header) == "unsigned"
