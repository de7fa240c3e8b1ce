"""A worker killed between the server's answer and writing it down: the same mail, once more.

SMTP has no way to ask whether a mail arrived. So at least once is all that can be promised, and the
second copy names itself the same.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from fulfillment.messages.domain import Message
from fulfillment.settings import Settings
from kit.service import Service
from tests.fulfillment.factories import a_request
from tests.fulfillment.mailbox import running_mailbox
from tests.fulfillment.tellings import (
    accept,
    messages,
    running,
    smtp_account,
    tell,
    telling_with,
)
from tests.fulfillment.workers import a_worker
from tests.stack.nursery import Forked

_SECONDS_MAX = 60.0


def _worker(settings: Settings) -> AbstractAsyncContextManager[Forked]:
    return a_worker(
        settings,
        message_senders=settings.message_senders,
        message_lease_seconds=0.5,
        message_poll_seconds=0.05,
    )


async def _until_sent(service: Service) -> Message:
    while True:
        [message] = await messages(service)
        if message.state == "sent":
            found: Message = message
            return found
        await asyncio.sleep(0.05)


async def test_a_killed_worker_leaves_the_same_mail_to_the_next(settings: Settings):
    async with running_mailbox() as box:
        given = telling_with(settings, [smtp_account(box)])
        async with running(given) as service:
            order = a_request()
            await accept(service, order)
            await tell(service, order.message.order_id)
            box.hold = asyncio.Event()
            async with _worker(given) as first, asyncio.timeout(_SECONDS_MAX):
                await box.received.wait()
                await first.kill()
            box.hold.set()
            async with _worker(given), asyncio.timeout(_SECONDS_MAX):
                message = await _until_sent(service)

    assert message.order_id == UUID(order.message.order_id)
    assert message.attempts[0].state == "unclear"
    assert message.attempts[0].reason == "interrupted"
    assert message.attempts[-1].state == "sent"
    assert len(box.mails) >= 2
    assert len({mail.message["Message-ID"] for mail in box.mails}) == 1
