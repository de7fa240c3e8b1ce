"""Mail, then SMS, then the inbox: each only when the one before definitely did not work."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import text

from fulfillment.sender import CLOCKS_DIFFER
from fulfillment.senders.twilio.sender import sign
from fulfillment.settings import Settings
from kit.service import Service, create_app
from tests.fulfillment.conftest import a_client
from tests.fulfillment.factories import OTHER_MERCHANT
from tests.fulfillment.gateway import HTML, Gateway
from tests.fulfillment.mailbox import Mailbox
from tests.fulfillment.messages.conftest import BUYER, INBOX
from tests.fulfillment.messages.paths import TAKEN, ordered, path_of
from tests.fulfillment.tellings import (
    messages,
    run_jobs,
    running,
    smtp_account,
    tell,
    telling_with,
    until,
)


async def test_a_refused_mail_is_followed_by_sms_and_then_the_inbox(
    service: Service, box: Mailbox, gateway: Gateway
):
    order_id = await ordered(service)
    box.recipients[BUYER] = "550 5.1.1 no such user"
    gateway.answers = [(400, b'{"code":21211}')]

    await tell(service, order_id)
    [message] = await until(service, "sent")

    assert message.channel == "inbox"
    assert path_of(message) == [
        ("mail", "refused", "smtp_550_5.1.1"),
        ("sms", "refused", "twilio_21211"),
        ("inbox", "sent", ""),
    ]
    async with a_client(service, create_app(service), "messages:read", "messages:write") as api:
        found = (await api.get("/v1/inbox?customer_id=buyer-7")).json()["items"]
        assert found[0]["subject"] == "Your order shop-10001 is ready"
        assert "http://fulfillment/d/" in found[0]["body"]
        read = await api.post(f"/v1/inbox/{message.id}/read")
        again = await api.post(f"/v1/inbox/{message.id}/read")
        assert read.json()["read_at"] == again.json()["read_at"] is not None
    async with a_client(
        service, create_app(service), "messages:read", "messages:write", merchant_id=OTHER_MERCHANT
    ) as api:
        assert (await api.get("/v1/inbox?customer_id=buyer-7")).json()["items"] == []
        assert (await api.post(f"/v1/inbox/{message.id}/read")).status_code == 404


async def test_a_mail_that_was_taken_is_not_followed_by_anything(
    service: Service, gateway: Gateway
):
    order_id = await ordered(service)

    await tell(service, order_id)
    [message] = await until(service, "sent")

    assert path_of(message) == [("mail", "sent", "")]
    assert gateway.calls == []


async def test_a_server_that_says_later_for_too_long_is_passed_over(
    settings: Settings, box: Mailbox
):
    given = telling_with(settings, [smtp_account(box), INBOX], message_channel_minutes_max=0)
    box.data[BUYER] = ["451 4.3.0 later"]
    async with running(given) as service:
        order_id = await ordered(service)
        await tell(service, order_id)
        [message] = await until(service, "sent")

    assert path_of(message) == [
        ("mail", "later", "smtp_451_4.3.0"),
        ("sms", "skipped", "no_sender"),
        ("inbox", "sent", ""),
    ]


async def test_an_unclear_sms_is_asked_for_and_not_sent_again(service: Service, gateway: Gateway):
    order_id = await ordered(service, email="")
    sent = b'{"messages":[{"body":"%s","status":"delivered","sid":"4711"}]}'
    gateway.answers = [(200, HTML)]

    await tell(service, order_id)
    await run_jobs(service, "send-messages")
    body = dict(parse_qsl(gateway.calls[0].body.decode()))["Body"]
    gateway.answers = [(200, sent % body.encode())]
    [message] = await until(service, "sent")

    assert [call.method for call in gateway.calls] == ["POST", "GET"]
    assert path_of(message)[1:] == [("sms", "unclear", "bad_answer"), ("sms", "sent", "")]


async def test_an_sms_of_before_midnight_is_asked_for_by_its_own_day_at_every_question(
    service: Service, gateway: Gateway
):
    order_id = await ordered(service, email="")
    sent = b'{"messages":[{"body":"%s","status":"delivered","sid":"4711"}]}'
    gateway.answers = [(200, HTML)]
    await tell(service, order_id)
    await run_jobs(service, "send-messages")
    body = dict(parse_qsl(gateway.calls[0].body.decode()))["Body"]
    async with service.db.transaction() as tx:
        day = {"day": timedelta(days=1)}
        await tx.execute(
            text("UPDATE message SET rung_since = rung_since - CAST(:day AS interval)"), day
        )
        rows = await tx.execute(
            text(
                "UPDATE message_attempt SET started_at = started_at - CAST(:day AS interval) "
                "WHERE channel = 'sms' RETURNING started_at"
            ),
            day,
        )
        first = rows.one().started_at
    # The first question is not answered: it is an attempt of today.
    gateway.answers = [(200, HTML), (200, sent % body.encode())]

    [message] = await until(service, "sent")

    assert [call.method for call in gateway.calls] == ["POST", "GET", "GET"]
    assert path_of(message)[-1] == ("sms", "sent", "")
    asked = {call.query["DateSent>"] for call in gateway.calls[1:]}
    assert asked == {(first - CLOCKS_DIFFER).date().isoformat()}


async def test_an_sms_nobody_knows_of_is_left_to_the_next_channel(
    service: Service, gateway: Gateway
):
    order_id = await ordered(service, email="")
    gateway.answers = [(200, HTML), (200, HTML), (500, b"")]

    await tell(service, order_id)
    [message] = await until(service, "sent")

    assert [call.method for call in gateway.calls] == ["POST", "GET", "GET"]
    assert message.channel == "inbox"


async def test_an_sms_that_was_lost_later_is_told_by_the_next_channel(
    settings: Settings, gateway: Gateway
):
    own: dict[str, Any] = {
        "sender": "twilio",
        "secret": "token-of-twilio",
        "settings": {
            "account_sid": "AC1",
            "from_number": "+15005550006",
            "endpoint": gateway.url,
        },
    }
    given = telling_with(settings, [INBOX], supplier_private_addresses=True)
    gateway.answers = [TAKEN]
    async with running(given) as service:
        app = create_app(service)
        async with a_client(service, app, "messages:write") as api:
            sender = (await api.post("/v1/senders", json=own)).json()
        await tell(service, await ordered(service, email=""))
        await until(service, "sent")
        asked = dict(parse_qsl(gateway.calls[0].body.decode()))
        path = f"/v1/sender-callbacks/{sender['id']}"
        assert asked["StatusCallback"] == f"http://fulfillment{path}"
        async with a_client(service, app) as twilio:

            async def say(status: str, key: str = own["secret"]) -> int:
                form = {"MessageSid": "4711", "MessageStatus": status, "ErrorCode": "30003"}
                signature = sign(asked["StatusCallback"], form, key)
                headers = {"X-Twilio-Signature": signature}
                return (await twilio.post(path, data=form, headers=headers)).status_code

            forged = await say("failed", "another-token")
            unsigned = (await twilio.post(path, content=b"\xff")).status_code
            delivered = await say("delivered")
            [untouched] = await messages(service)
            lost = [await say("undelivered") for _ in range(2)]
            nobody = (await twilio.post(f"/v1/sender-callbacks/{untouched.id}")).status_code
        [message] = await until(service, "sent")

    assert (forged, unsigned, delivered, lost, nobody) == (403, 403, 204, [204, 204], 404)
    assert untouched.channel == "sms"
    assert path_of(message)[-2:] == [
        ("sms", "bounced", "bounced_twilio_30003"),
        ("inbox", "sent", ""),
    ]


BAD = [
    "plain",
    "@shop.example",
    "buyer@",
    "buyer@@shop.example",
    "bu yer@shop.example",
    "buyer@shop..example",
    "buyer@.shop.example",
    "buyer@shop.example.",
    ".buyer@shop.example",
    "buyer.@shop.example",
    "bu..yer@shop.example",
    "buyer@shop",
    "buyer@-shop.example",
    "buyer@shop-.example",
    "buyer@shop.e_xample",
    "buyer@[127.0.0.1]",
    "buyer@127.0.0.1",
    "buyer@localhost",
    "buyer@shop.invalid",
    "buyer@shop.local",
    "buyer,other@shop.example",
    "buyer@shop.example,other@shop.example",
    "buyer@shop.example other@shop.example",
    "Buyer <buyer@shop.example>",
    '"buyer"@shop.example',
    "buyer(comment)@shop.example",
    "buyer@shop.example\r\nBcc: all@shop.example",
    "buyer\n@shop.example",
    "buyer@shop.example\x00",
    "b\u00fcyer@shop.example",
    "\u202ebuyer@shop.example",
    "buyer@" + "x" * 250 + ".example",
    "b" * 70 + "@shop.example",
    "buyer@sh\u200bop.example",
    "<script>@shop.example",
]


async def test_bad_addresses_are_passed_over_with_their_reason(service: Service, box: Mailbox):
    storable = [address for address in BAD if "\x00" not in address]
    for address in storable:
        await tell(service, await ordered(service, email=address, phone=""))

    found = await until(service, "sent")

    assert len(found) == len(storable) >= 30
    assert {message.attempts[0].reason for message in found} == {"address_refused"}
    assert {message.channel for message in found} == {"inbox"}
    assert box.mails == []


@pytest.mark.parametrize("phone", ["1", "12345678901234567", "+86x", "0086", "abc", "+", "1;2"])
async def test_a_bad_phone_number_is_passed_over(service: Service, gateway: Gateway, phone: str):
    await tell(service, await ordered(service, email="", phone=phone))

    [message] = await until(service, "sent")

    assert ("sms", "skipped", "address_refused") in path_of(message)
    assert gateway.calls == []


async def test_one_address_gets_so_many_an_hour_even_at_once(service: Service, box: Mailbox):
    orders = await asyncio.gather(*(ordered(service, phone="") for _ in range(64)))
    await asyncio.gather(*(tell(service, order_id) for order_id in orders))

    await asyncio.gather(*(run_jobs(service, "send-messages") for _ in range(4)))
    found = await until(service, "sent")

    assert len(box.mails) == 5
    over = [message for message in found if message.channel == "inbox"]
    assert len(over) == 59
    assert {message.attempts[0].reason for message in over} == {"contact_limit"}


async def test_a_merchant_has_so_many_a_day(settings: Settings, box: Mailbox):
    given = telling_with(settings, [smtp_account(box)], message_merchant_per_day=3)
    async with running(given) as service:
        for number in range(10):
            order_id = await ordered(service, email=f"buyer{number}@shop.example", phone="")
            await tell(service, order_id)
        found = await until(service, "sent", "failed")

    assert len(box.mails) == 3
    assert {it.reason for it in found if it.state == "failed"} == {"merchant_limit"}
