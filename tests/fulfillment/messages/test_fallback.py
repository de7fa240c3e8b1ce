"""Mail, then SMS, then the inbox: each only when the one before definitely did not work."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest

from fulfillment.contacts.domain import mask_address
from fulfillment.settings import Settings
from kit.messaging.events import Event, topic_of, type_of
from kit.service import Service, create_app
from lockstock.common.v1.money_pb2 import Money
from lockstock.order.v1.order_events_pb2 import OrderPartiallyCompleted, OrderRefunded, SettledLine
from tests.fulfillment.conftest import a_client
from tests.fulfillment.factories import MERCHANT, OTHER_MERCHANT, a_line, a_request
from tests.fulfillment.gateway import HTML, Gateway, running_gateway
from tests.fulfillment.mailbox import Mailbox, running_mailbox
from tests.fulfillment.tellings import (
    accept,
    messages,
    run_jobs,
    running,
    smtp_account,
    tell,
    telling_with,
    until,
)

BUYER = "buyer@shop.example"
PHONE = "+8613812345678"
TAKEN = (201, b'{"sid":"4711","status":"queued"}')
INBOX = {"sender": "inbox"}


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as box:
        yield box


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
async def service(settings: Settings, box: Mailbox, gateway: Gateway) -> AsyncIterator[Service]:
    twilio = {
        "sender": "twilio",
        "secret": "token-of-twilio",
        "settings": {
            "account_sid": "AC1",
            "from_number": "+15005550006",
            "endpoint": gateway.url,
            "timeout_seconds": 2,
        },
    }
    given = telling_with(
        settings,
        [smtp_account(box), twilio, INBOX],
        supplier_private_addresses=True,
        message_contact_per_hour=5,
        message_resends_per_day=3,
    )
    async with running(given) as service:
        yield service


def path_of(message: Any) -> list[tuple[str, str, str]]:
    return [(it.channel.value, it.state.value, it.reason) for it in message.attempts]


async def ordered(service: Service, **given: Any) -> str:
    order = a_request(**{"phone": PHONE, "email": BUYER, **given})
    await accept(service, order)
    return str(order.message.order_id)


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


async def test_an_sms_nobody_knows_of_is_left_to_the_next_channel(
    service: Service, gateway: Gateway
):
    order_id = await ordered(service, email="")
    gateway.answers = [(200, HTML), (200, HTML), (500, b"")]

    await tell(service, order_id)
    [message] = await until(service, "sent")

    assert [call.method for call in gateway.calls] == ["POST", "GET", "GET"]
    assert message.channel == "inbox"


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


async def test_a_bounce_starts_the_next_channel(service: Service, box: Mailbox, gateway: Gateway):
    order_id = await ordered(service)
    await tell(service, order_id)
    [message] = await until(service, "sent")
    gateway.answers = [TAKEN]
    report = a_report(box.mails[0].message["Message-ID"])

    async with a_client(service, create_app(service), "messages:write") as api:
        told = await api.post("/v1/message-bounces", json={"report": report})
        again = await api.post("/v1/message-bounces", json={"report": report})
    [message] = await until(service, "sent")

    assert told.json()["items"][0]["state"] == "queued"
    assert again.status_code == 200
    assert path_of(message) == [("mail", "bounced", "bounced_5.1.1"), ("sms", "sent", "")]
    assert len(gateway.calls) == 1


async def test_a_bounce_with_no_way_left_ends_as_bounced(settings: Settings, box: Mailbox):
    async with running(telling_with(settings, [smtp_account(box)])) as service:
        order_id = await ordered(service, phone="")
        await tell(service, order_id)
        await until(service, "sent")
        async with service.db.transaction() as tx:
            report = a_report(box.mails[0].message["Message-ID"]).encode()
            await service.state["messages"].bounce(tx, MERCHANT, report)
        [message] = await until(service, "bounced")

    assert message.reason == "bounced_5.1.1"


async def test_a_report_of_something_else_is_refused(service: Service, box: Mailbox):
    order_id = await ordered(service)
    await tell(service, order_id)
    await until(service, "sent")
    own = box.mails[0].message["Message-ID"]
    delayed = a_report(own).replace("Action: failed", "Action: delayed")

    async with a_client(service, create_app(service), "messages:write") as api:
        for report in ("", "hello", delayed, a_report("<x@shop.example>"), "\r\n" * 1000):
            answer = await api.post("/v1/message-bounces", json={"report": report})
            assert answer.status_code == 422, report
    async with a_client(
        service, create_app(service), "messages:write", merchant_id=OTHER_MERCHANT
    ) as api:
        answer = await api.post("/v1/message-bounces", json={"report": a_report(own)})
        assert answer.json()["code"] == "not_a_report"
    assert [it.state for it in await messages(service)] == ["sent"]


async def test_a_delivered_order_is_told_by_itself_and_again_to_a_corrected_address(
    service: Service, box: Mailbox, gateway: Gateway
):
    order_id = await delivered(service, 2)
    [message] = await until(service, "sent")
    assert (message.purpose, message.channel) == ("delivered", "mail")
    assert "- By hand x 1" in box.mails[0].text
    async with service.db.read() as tx:
        found = await service.state["deliveries"].list_deliveries(
            tx, MERCHANT, order_id=UUID(order_id), after=None, limit=1
        )
    path = f"/v1/deliveries/{found[0][0].id}/resend"
    right = {"email": "right@shop.example"}

    async with a_client(service, create_app(service), "deliveries:write") as api:
        key = {"Idempotency-Key": "resend-1"}
        first = await api.post(path, json=right, headers=key)
        replayed = await api.post(path, json=right, headers=key)
        bad = await api.post(path, json={"email": "right@shop"})
        more = [(await api.post(path, json={})).status_code for _ in range(3)]
    await until(service, "sent")

    assert first.status_code == replayed.status_code == 201
    assert first.json()["id"] == replayed.json()["id"]
    assert bad.json()["code"] == "address_refused"
    assert more == [201, 201, 429]
    assert len(box.to("right@shop.example")) == 3
    assert len(box.to(BUYER)) == 1


async def test_a_resend_before_anything_is_decided_is_refused(service: Service):
    order = a_request(lines=[by_hand()], reservation_id="")
    await accept(service, order)
    async with service.db.read() as tx:
        found = await service.state["deliveries"].list_deliveries(
            tx, MERCHANT, order_id=None, after=None, limit=1
        )

    async with a_client(service, create_app(service), "deliveries:write") as api:
        answer = await api.post(f"/v1/deliveries/{found[0][0].id}/resend", json={})

    assert answer.json()["code"] == "nothing_to_send"


async def test_what_became_of_the_money_is_told_once(service: Service, box: Mailbox):
    order_id = await ordered(service, lines=[a_line(line_no=1), a_line(line_no=2)])
    partly = OrderPartiallyCompleted(
        order_id=order_id,
        merchant_id=str(MERCHANT),
        refunded=Money(amount_minor=1990, currency="CNY"),
        lines=[SettledLine(line_id=order_id, delivered=True)],
    )
    whole = OrderRefunded(
        order_id=order_id,
        merchant_id=str(MERCHANT),
        amount=Money(amount_minor=100, currency="JPY"),
    )

    for _ in range(2):
        await hear(service, [partly])
        await hear(service, [whole])
    await until(service, "sent")

    subjects = sorted(str(mail.message["Subject"]) for mail in box.mails)
    assert subjects == [
        "Part of your order shop-10001 is ready, the rest is refunded",
        "Your order shop-10001 is refunded",
    ]
    texts = "".join(mail.text for mail in box.mails)
    assert "We refund 19.90 CNY" in texts
    assert "is refunded: 100 JPY" in texts


async def test_old_contacts_are_forgotten_and_then_nothing_can_be_sent(
    settings: Settings, box: Mailbox
):
    async with running(telling_with(settings, [smtp_account(box)])) as service:
        order_id = await ordered(service)
        contacts = service.state["contacts"]
        contacts._retention = timedelta(0)
        await run_jobs(service, "forget-contacts")
        await tell(service, order_id)
        [message] = await until(service, "undeliverable")

    assert message.reason == "no_address"
    assert box.mails == []


def test_masks_show_little():
    assert mask_address("buyer@shop.example") == "b***@shop.example"
    assert mask_address("+86 138 1234 5678") == "***5678"
    assert mask_address("123") == "***"


def a_report(message_id: str) -> str:
    return (
        "From: mailer-daemon@mx.example\r\nTo: bounces@shop.example\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\n"
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        "Final-Recipient: rfc822; buyer@shop.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 unknown\r\n\r\n--b\r\n"
        f"Content-Type: message/rfc822\r\n\r\nMessage-ID: {message_id}\r\nSubject: x\r\n\r\nx\r\n"
        "--b--\r\n"
    )


def by_hand(number: int = 1) -> Any:
    return a_line(kind="manual", pool_id="", name="By hand", line_no=number)


async def delivered(service: Service, lines: int) -> str:
    """An order that people delivered, line by line."""
    order = a_request(
        lines=[by_hand(number) for number in range(1, lines + 1)], reservation_id="", phone=PHONE
    )
    await accept(service, order)
    await dispatch_only(service)
    async with service.db.transaction() as tx:
        tasks = await service.state["manual_tasks"].list_tasks(
            tx, MERCHANT, state="open", queue=None, after=None, limit=10
        )
        assert len(tasks) == lines
        for task in tasks:
            await service.state["manual_tasks"].complete(
                tx, MERCHANT, task.id, "test", result="done", cost=None
            )
    await dispatch_only(service)
    return str(order.message.order_id)


async def dispatch_only(service: Service) -> None:
    names = [job.name for job in service.jobs if job.name.startswith("dispatch-")]
    await run_jobs(service, *names)


async def hear(service: Service, heard: Sequence[Any]) -> None:
    """Gives events to the consumer."""
    async with service.db.transaction() as tx:
        for message in heard:
            kind = type_of(type(message))
            handler = next(it for it in service.handlers if it.type == kind)
            event = Event(
                id=UUID(int=1),
                type=kind,
                topic=topic_of(type(message)),
                key=message.order_id,
                version=1,
                time=a_request().time,
                merchant_id=message.merchant_id,
                traceparent=None,
                request_id=None,
                message=message,
            )
            await handler.fn(tx, [event])
