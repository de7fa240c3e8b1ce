"""After the sending: mails that come back, buyers told again, money that went back."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from fulfillment.contacts.domain import mask_address
from fulfillment.settings import Settings
from kit.messaging.events import Event, topic_of, type_of
from kit.service import Service, create_app
from lockstock.common.v1.money_pb2 import Money
from lockstock.order.v1.order_events_pb2 import OrderPartiallyCompleted, OrderRefunded, SettledLine
from tests.fulfillment.conftest import a_client
from tests.fulfillment.factories import MERCHANT, OTHER_MERCHANT, a_line, a_request
from tests.fulfillment.gateway import Gateway
from tests.fulfillment.mailbox import Mailbox
from tests.fulfillment.messages.conftest import BUYER, PHONE
from tests.fulfillment.messages.paths import TAKEN, ordered, path_of
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
