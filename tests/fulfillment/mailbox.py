"""A real SMTP server on loopback that keeps what it is sent, and answers as a test wants it to."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

Answer = Callable[[str, bytes], str]
TAKEN = "250 2.0.0 taken as 4711"


@dataclass
class Mail:
    sender: str
    recipient: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=default)

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    @property
    def html(self) -> str:
        part = self.message.get_body(("html",))
        assert part is not None
        return str(part.get_content())


@dataclass
class Mailbox:
    """`answers` are given to RCPT and DATA by address; `hold`: DATA waits for it before the
    answer.
    """

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    recipients: dict[str, str] = field(default_factory=dict)
    data: dict[str, list[str]] = field(default_factory=dict)
    hold: asyncio.Event | None = None
    received: asyncio.Event = field(default_factory=asyncio.Event)
    cuts: int = 0
    connections: int = 0

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.mails if mail.recipient == address]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        answer = self.recipients.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        [recipient] = envelope.rcpt_tos
        waiting = self.data.get(recipient)
        if waiting:
            return waiting.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(Mail(envelope.mail_from or "", recipient, content))
        self.received.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.cuts:
            self.cuts -= 1
            cast(asyncio.WriteTransport, server.transport).abort()
        return TAKEN


@asynccontextmanager
async def running_mailbox(**options: Any) -> AsyncIterator[Mailbox]:
    """`options` are aiosmtpd's."""
    # The server is the outside here: what it logs is none of ours.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    box = Mailbox()
    loop = asyncio.get_running_loop()
    make = partial(SMTP, box, loop=loop, hostname="mx.shop.example", **options)
    server = await loop.create_server(make, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await asyncio.sleep(0)
