"""A worker killed between the server's answer and writing it down: the same mail, once more.

SMTP has no way to ask whether a mail arrived. So at least once is all that can be promised, and the
second copy names itself the same.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from fulfillment.messages.domain import Message
from fulfillment.settings import Settings
from kit.service import Service
from tests.fulfillment.conftest import LINK_SECRET, SAFE_KEY
from tests.fulfillment.factories import a_request
from tests.fulfillment.mailbox import running_mailbox
from tests.fulfillment.real_vault import SECRET
from tests.fulfillment.tellings import (
    accept,
    messages,
    running,
    smtp_account,
    tell,
    telling_with,
)

_SECONDS_MAX = 60.0


@asynccontextmanager
async def _worker(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fulfillment",
        "worker",
        env={
            **os.environ,
            "FULFILLMENT_DATABASE_URL": settings.database_url.get_secret_value(),
            "FULFILLMENT_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "FULFILLMENT_INTERNAL_SECRET": SECRET,
            "FULFILLMENT_LINK_SECRET": LINK_SECRET,
            "FULFILLMENT_SAFE_KEY": SAFE_KEY,
            "FULFILLMENT_MESSAGE_SENDERS": str(settings.message_senders),
            "FULFILLMENT_MESSAGE_LEASE_SECONDS": "0.5",
            "FULFILLMENT_MESSAGE_POLL_SECONDS": "0.05",
            "FULFILLMENT_LOG_LEVEL": "ERROR",
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


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
                first.kill()
                await first.wait()
            box.hold.set()
            async with _worker(given), asyncio.timeout(_SECONDS_MAX):
                message = await _until_sent(service)

    assert message.order_id == UUID(order.message.order_id)
    assert message.attempts[0].state == "unclear"
    assert message.attempts[0].reason == "interrupted"
    assert message.attempts[-1].state == "sent"
    assert len(box.mails) >= 2
    assert len({mail.message["Message-ID"] for mail in box.mails}) == 1
