"""Codes for challenged orders, of which nothing is known here but how their buyers are reached."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from fulfillment.challenges.domain import Asked
from fulfillment.one_time_codes.domain import Verdict
from fulfillment.settings import Settings
from kit.ids import new_id
from kit.messaging.events import Event
from kit.messaging.outbox import events_of
from kit.service import Service
from lockstock.fulfillment.v1.challenge_events_pb2 import ChallengeNotSent, ChallengeSent
from lockstock.order.v1.challenge_events_pb2 import ChallengeRequested
from tests.fulfillment.dump import everything
from tests.fulfillment.factories import MERCHANT, a_line, a_request
from tests.fulfillment.mailbox import Mailbox, running_mailbox
from tests.fulfillment.tellings import accept, running, send, smtp_account, telling_with

EMAIL = "buyer@shop.example"


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as box:
        yield box


@pytest.fixture
async def service(settings: Settings, box: Mailbox) -> AsyncIterator[Service]:
    given = telling_with(
        settings,
        [smtp_account(box)],
        one_time_code_again_seconds=0.0,
        one_time_codes_per_contact=3,
    )
    async with running(given) as service:
        yield service


def a_challenge(**given: Any) -> Event[ChallengeRequested]:
    order_id = given.pop("order_id", str(new_id()))
    values = {"email": EMAIL, "reference": "shop-77", "challenge_id": str(new_id()), **given}
    message = ChallengeRequested(order_id=order_id, merchant_id=str(MERCHANT), **values)
    return Event(
        id=new_id(),
        type=message.DESCRIPTOR.full_name,
        topic="lockstock.order.order",
        key=order_id,
        version=1,
        time=a_request().time,
        merchant_id=str(MERCHANT),
        traceparent=None,
        request_id=None,
        message=message,
    )


async def request(service: Service, *events: Event[ChallengeRequested]) -> list[Message]:
    handler = next(
        it
        for it in service.handlers
        if it.message_class is ChallengeRequested and "Challenge" in str(it.fn)
    )
    async with service.db.transaction() as tx:
        await handler.fn(tx, events)
        return events_of(tx)


async def code_of(service: Service, box: Mailbox) -> str:
    await send(service)
    [code] = re.findall(r"^([0-9]{6})$", box.mails[-1].text.replace("\r", ""), re.MULTILINE)
    return str(code)


async def check(
    service: Service, event: Event[ChallengeRequested], code: str, merchant: UUID = MERCHANT
) -> Verdict:
    async with service.db.transaction() as tx:
        challenge_id = UUID(event.message.challenge_id)
        found = await service.state["challenges"].verify(tx, merchant, challenge_id, code)
    return Verdict(found.verdict)


async def test_a_code_reaches_the_buyer_before_anything_is_to_be_delivered(
    service: Service, box: Mailbox
):
    event = a_challenge()

    [told] = await request(service, event)
    code = await code_of(service, box)

    assert isinstance(told, ChallengeSent)
    assert (told.channel, told.target) == ("mail", "b***@shop.example")
    assert told.challenge_id == event.message.challenge_id
    assert "shop-77" in box.mails[-1].text
    assert await check(service, event, code) is Verdict.RIGHT


async def test_the_right_code_is_right_again_for_whoever_did_not_hear_it_and_no_other(
    service: Service, box: Mailbox
):
    event = a_challenge()
    await request(service, event)
    code = await code_of(service, box)
    await check(service, event, code)

    assert await check(service, event, code) is Verdict.RIGHT
    assert await check(service, event, f"{(int(code) + 1) % 10**6:06}") is Verdict.GONE


async def test_the_contact_lies_sealed_and_the_code_nowhere(service: Service, box: Mailbox):
    await request(service, a_challenge())
    code = await code_of(service, box)

    dump = await everything(service.db)
    assert EMAIL.encode() not in dump
    assert code.encode() not in dump


async def test_a_buyer_who_cannot_be_reached_is_told_to_risk(service: Service):
    [told] = await request(service, a_challenge(email=""))

    assert isinstance(told, ChallengeNotSent)
    assert told.reason == "no_contact"


async def test_one_address_gets_so_many_codes_in_an_hour_whatever_orders_they_are_for(
    service: Service, box: Mailbox
):
    spelt = [EMAIL, EMAIL.upper(), EMAIL, EMAIL]

    told = await request(service, *(a_challenge(email=each) for each in spelt))
    await send(service)

    assert [type(it).__name__ for it in told] == ["ChallengeSent"] * 3 + ["ChallengeNotSent"]
    assert len(box.mails) == 3


async def test_a_code_that_is_not_sent_does_not_end_the_one_before(service: Service, box: Mailbox):
    first = a_challenge()
    await request(service, first)
    code = await code_of(service, box)
    await request(service, a_challenge(), a_challenge())

    assert await request(service, first) == []

    assert await check(service, first, code) is Verdict.RIGHT


async def test_without_a_code_that_still_works_it_is_told_that_none_is_sent(
    service: Service, box: Mailbox
):
    first = a_challenge()
    await request(service, first)
    await request(service, a_challenge(), a_challenge())
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE one_time_code SET expires_at = clock_timestamp()"))

    [told] = await request(service, first)

    assert isinstance(told, ChallengeNotSent)
    assert told.reason == "too_many_codes"


async def test_another_merchant_cannot_use_up_the_tries(service: Service, box: Mailbox):
    event = a_challenge()
    await request(service, event)
    code = await code_of(service, box)

    for _ in range(6):
        assert await check(service, event, "000000", new_id()) is Verdict.GONE

    assert await check(service, event, code) is Verdict.RIGHT


async def test_the_request_that_follows_brings_the_template_of_its_product(service: Service):
    event = a_challenge()
    await request(service, event)

    order = a_request(order_id=event.message.order_id, email=EMAIL, lines=[a_line(template="gift")])
    await accept(service, order)

    async with service.db.read() as tx:
        found = (await tx.execute(text("SELECT template FROM contact"))).scalar_one()
    assert found == "gift"


async def test_a_resend_for_an_order_of_somebody_else_sends_nothing(service: Service, box: Mailbox):
    event = a_challenge()
    await request(service, event)
    await send(service)
    asked_by = service.state["challenges"]

    for merchant in (new_id(), MERCHANT):
        async with service.db.transaction() as tx:
            await asked_by.send_again(
                tx,
                Asked(
                    UUID(event.message.challenge_id),
                    merchant,
                    UUID(event.message.order_id),
                    "shop-77",
                ),
            )
        await send(service)

    assert len(box.mails) == 2
