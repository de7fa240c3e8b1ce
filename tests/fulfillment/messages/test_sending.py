"""A paid order's buyer gets a mail, by a real SMTP server, in the words and language meant."""

import asyncio
import time
from collections.abc import AsyncIterator
from email.utils import parseaddr
from io import StringIO
from types import SimpleNamespace
from uuid import UUID

import pytest

from fulfillment.deliveries.domain import Retry
from fulfillment.messages.domain import AttemptState, MessageState, Wanted
from fulfillment.settings import Settings
from fulfillment.templates.domain import UnknownPurpose
from kit.service import Service, create_app
from tests.fulfillment.conftest import a_client
from tests.fulfillment.dump import everything
from tests.fulfillment.factories import MERCHANT, OTHER_MERCHANT, a_line, a_request
from tests.fulfillment.mailbox import Mailbox
from tests.fulfillment.tellings import (
    accept,
    messages,
    run_jobs,
    running,
    running_jobs,
    send,
    smtp_account,
    tell,
    telling_with,
    until,
)


@pytest.fixture
async def service(settings: Settings, box: Mailbox) -> AsyncIterator[Service]:
    async with running(telling_with(settings, [smtp_account(box)])) as service:
        yield service


async def test_a_wanted_message_is_mailed_with_the_link(service: Service, box: Mailbox):
    order = a_request()
    await accept(service, order)

    await tell(service, order.message.order_id)
    await send(service)

    [mail] = box.mails
    assert mail.recipient == "buyer@shop.example"
    assert mail.message["Subject"] == "Your order shop-10001 is ready"
    assert "http://fulfillment/d/" in mail.text
    assert 'href="http://fulfillment/d/' in mail.html
    [message] = await messages(service)
    assert (message.state, message.channel, message.to) == (
        MessageState.SENT,
        "mail",
        "b***@shop.example",
    )
    [attempt] = message.attempts
    assert (attempt.state, attempt.sender) == (AttemptState.SENT, "smtp")
    assert attempt.template == "built-in delivered.en"


async def test_the_mail_says_what_it_is_to_machines(service: Service, box: Mailbox):
    order = a_request()
    await accept(service, order)

    await tell(service, order.message.order_id)
    await send(service)

    [mail], [message] = box.mails, await messages(service)
    head = mail.message
    assert head["Message-ID"] == f"<{message.id.hex}@shop.example>"
    assert mail.sender == f"bounces+{message.id.hex}@shop.example"
    assert parseaddr(head["From"]) == ("The Shop", "shop@shop.example")
    assert head["Auto-Submitted"] == "auto-generated"
    assert head["Content-Type"].startswith("multipart/alternative")


async def test_a_chinese_buyer_is_written_to_in_chinese(service: Service, box: Mailbox):
    order = a_request(locale="zh-CN")
    await accept(service, order)

    await tell(service, order.message.order_id)
    await send(service)

    assert box.mails[0].message["Subject"] == "您的订单 shop-10001 已发货"
    assert "请点击链接查看" in box.mails[0].text


async def test_the_same_is_told_once_however_often_it_is_wanted(service: Service, box: Mailbox):
    order = a_request()
    await accept(service, order)

    for _ in range(3):
        await tell(service, order.message.order_id)
        await send(service)
    await tell(service, order.message.order_id, key="claim-7")
    await send(service)

    assert len(box.mails) == 2


async def test_a_rolled_back_transaction_tells_nothing(service: Service, box: Mailbox):
    order = a_request()
    await accept(service, order)

    async def fail() -> None:
        async with service.db.transaction() as tx:
            wanted = Wanted(MERCHANT, UUID(order.message.order_id), "delivered")
            await service.state["messages"].send(tx, wanted)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    await send(service)

    assert box.mails == []
    assert await messages(service) == []


async def test_a_purpose_without_texts_is_refused(service: Service):
    order = a_request()
    await accept(service, order)

    with pytest.raises(UnknownPurpose):
        await tell(service, order.message.order_id, "birthday")


async def test_an_order_without_any_address_is_undeliverable_with_its_reason(service: Service):
    order = a_request(email="", phone="")
    await accept(service, order)

    await tell(service, order.message.order_id, "one_time_code", values={"code": "1"})
    found = await until(service, "undeliverable")

    assert found[0].reason == "no_address"
    assert [attempt.state for attempt in found[0].attempts] == ["skipped", "skipped"]


async def test_a_server_that_says_later_gets_the_same_mail_later(service: Service, box: Mailbox):
    order = a_request()
    await accept(service, order)
    box.data["buyer@shop.example"] = ["451 4.3.0 try again", "421 4.7.0 busy"]

    await tell(service, order.message.order_id)
    [message] = await until(service, "sent")

    assert len(box.mails) == 1
    assert [(it.state, it.reason) for it in message.attempts] == [
        ("later", "smtp_451_4.3.0"),
        ("later", "smtp_421_4.7.0"),
        ("sent", ""),
    ]


async def test_a_line_lost_after_the_last_byte_repeats_the_same_message_id(
    service: Service, box: Mailbox
):
    order = a_request()
    await accept(service, order)
    box.cuts = 1

    await tell(service, order.message.order_id)
    [message] = await until(service, "sent")

    assert [it.state for it in message.attempts] == ["unclear", "sent"]
    assert len({mail.message["Message-ID"] for mail in box.mails}) == 1
    assert len(box.mails) == 2


async def test_a_server_without_tls_is_told_nothing_where_tls_is_wanted(
    settings: Settings, box: Mailbox
):
    given = telling_with(settings, [smtp_account(box, security="starttls")])
    async with running(given) as service:
        order = a_request()
        await accept(service, order)
        await tell(service, order.message.order_id)
        await send(service)
        [message] = await messages(service)

    assert box.mails == []
    assert [it.state for it in message.attempts] == ["later"]


async def test_a_servers_answer_names_no_buyer(service: Service, box: Mailbox):
    order = a_request()
    await accept(service, order)
    box.data["buyer@shop.example"] = ["250 2.0.0 <buyer@shop.example> queued as 4711"]

    await tell(service, order.message.order_id)
    await send(service)

    [message] = await messages(service)
    assert message.attempts[0].reference == "2.0.0 *** queued as 4711"


async def test_an_order_whose_outcome_is_unknown_is_told_within_five_seconds(
    service: Service, box: Mailbox
):
    order = a_request(lines=[a_line(kind="manual", pool_id="", name="By hand")])
    await accept(service, order)
    tasks = service.state["tasks"]
    kind = SimpleNamespace(name="manual")  # nothing else of it is looked at
    async with running_jobs(service, "tell", "send-messages"):
        async with service.db.transaction() as tx:
            [task] = await tasks.take(tx, kind, 1)
            await tasks.record(tx, [Retry(task, "no_answer", 0, is_unknown=True)])
        began = time.monotonic()
        async with asyncio.timeout(30):
            await box.received.wait()
    waited = time.monotonic() - began

    assert box.mails[0].message["Subject"] == "Your order shop-10001 is being processed"
    # Woken by the commit: even without the wake-up a poll of half a second would see it.
    assert waited < 5


async def test_messages_are_listed_by_state_and_order_in_pages(service: Service, box: Mailbox):
    orders = [a_request(email=f"buyer{number}@shop.example") for number in range(3)]
    await accept(service, *orders)
    box.recipients["buyer1@shop.example"] = "550 5.1.1 no"
    for order in orders:
        await tell(service, order.message.order_id)
    await until(service, "sent", "failed")

    async with a_client(service, create_app(service), "messages:read") as api:
        failed = (await api.get("/v1/messages?state=failed")).json()["items"]
        one = (await api.get(f"/v1/messages?order_id={orders[0].message.order_id}")).json()
        first = (await api.get("/v1/messages?limit=2&channel=mail")).json()
        rest = await api.get(f"/v1/messages?limit=2&cursor={first['next_cursor']}")
        read = await api.get(f"/v1/messages/{failed[0]['id']}")
    async with a_client(
        service, create_app(service), "messages:read", merchant_id=OTHER_MERCHANT
    ) as api:
        foreign = await api.get(f"/v1/messages/{failed[0]['id']}")

    assert [it["order_id"] for it in failed] == [orders[1].message.order_id]
    assert failed[0]["attempts"][0]["reason"] == "smtp_550_5.1.1"
    assert len(one["items"]) == 1
    assert len(first["items"]) + len(rest.json()["items"]) == 3
    assert read.json() == failed[0]
    assert foreign.status_code == 404


async def test_what_a_buyer_named_breaks_no_header(service: Service, box: Mailbox):
    order = a_request(reference="x\r\nBcc: everybody@shop.example")
    await accept(service, order)

    await tell(service, order.message.order_id)
    await send(service)

    assert box.mails[0].message["Bcc"] is None
    assert box.mails[0].message["Subject"].startswith("Your order x  Bcc: everybody@shop.example")


async def test_nothing_about_a_buyer_is_logged_or_stored_in_clear(
    service: Service, box: Mailbox, logged: StringIO
):
    order = a_request(email="very.private@shop.example", phone="+8613812345678")
    await accept(service, order)
    box.recipients["very.private@shop.example"] = "550 5.1.1 very.private@shop.example unknown"

    await tell(service, order.message.order_id)
    await until(service, "failed")

    assert "very.private" not in logged.getvalue()
    assert "13812345678" not in logged.getvalue()
    stored = await everything(service.db)
    assert b"very.private" not in stored
    assert b"13812345678" not in stored
    await run_jobs(service, "forget-contacts")
