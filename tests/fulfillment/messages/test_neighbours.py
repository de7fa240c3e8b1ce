"""Messages that are sent together: what goes wrong with one is no other's affair."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.exc import DBAPIError

from fulfillment.messages.domain import MessageState
from fulfillment.settings import Settings
from kit.service import Service
from tests.fulfillment.factories import a_request
from tests.fulfillment.mailbox import Mailbox
from tests.fulfillment.tellings import (
    accept,
    messages,
    running,
    send,
    smtp_account,
    tell,
    telling_with,
)
from tests.fulfillment.webhooks import execute


@pytest.fixture
async def service(settings: Settings, box: Mailbox) -> AsyncIterator[Service]:
    async with running(telling_with(settings, [smtp_account(box)])) as service:
        yield service


@asynccontextmanager
async def no_refusal_can_be_written_down(service: Service) -> AsyncIterator[None]:
    await execute(
        service,
        "CREATE FUNCTION no_refusal() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no refusal'; END $$",
    )
    await execute(
        service,
        "CREATE TRIGGER no_refusal BEFORE UPDATE ON message_attempt FOR EACH ROW "
        "WHEN (NEW.state = 'refused') EXECUTE FUNCTION no_refusal()",
    )
    try:
        yield
    finally:
        await execute(service, "DROP FUNCTION no_refusal CASCADE")


async def test_a_result_that_cannot_be_written_down_cuts_off_no_other_mail(
    service: Service, box: Mailbox
):
    slow, quick = a_request(email="slow@shop.example"), a_request(email="quick@shop.example")
    await accept(service, slow, quick)
    for order in (slow, quick):
        await tell(service, order.message.order_id)
    box.recipients["quick@shop.example"] = "550 5.1.1 nobody"
    box.hold = asyncio.Event()
    asyncio.get_running_loop().call_later(1.0, box.hold.set)

    async with no_refusal_can_be_written_down(service):
        with pytest.raises(DBAPIError):
            await send(service)

    states = {it.to: it.state for it in await messages(service)}
    assert states == {
        "s***@shop.example": MessageState.SENT,
        "q***@shop.example": MessageState.QUEUED,
    }
    assert len(box.to("slow@shop.example")) == 1
