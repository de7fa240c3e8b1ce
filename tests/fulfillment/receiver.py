"""A shop's receiver of webhooks on loopback: real HTTP, verified by the official library."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

Answering = Callable[[str, int], str]
"""(webhook-id, how often it came) -> status line and headers, as they are sent."""
OK = "204 No Content\r\n"


def always(status: str) -> Answering:
    return lambda message_id, nth: f"{status}\r\nContent-Length: 0\r\n"


@dataclass(slots=True)
class Receiver:
    """`secrets`: any of them may have signed. What does not verify is kept in `forged`. `opens`: it
    thinks until then."""

    secrets: Sequence[str] = ()
    answering: Answering = lambda message_id, nth: OK
    url: str = ""
    bodies: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    first_at: dict[str, float] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    forged: list[Any] = field(default_factory=list)
    opens: asyncio.Event | None = None
    at_once: int = 0
    at_once_most: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                writer.write(await self._hear(headers, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _hear(self, headers: dict[str, str], body: bytes) -> bytes:
        self.at_once += 1
        self.at_once_most = max(self.at_once, self.at_once_most)
        try:
            message_id = headers.get("webhook-id", "")
            self.first_at.setdefault(message_id, time.time())
            self.headers.append(headers)
            self.bodies[message_id].append(body)
            if self.secrets and not self._verifies(headers, body):
                self.forged.append((headers, body))
            answer = self.answering(message_id, len(self.bodies[message_id]))
            await (self.opens.wait() if self.opens else asyncio.sleep(0))
            if answer.startswith("2"):
                self.accepted.add(message_id)
            return f"HTTP/1.1 {answer}\r\n".encode()
        finally:
            self.at_once -= 1

    def _verifies(self, headers: dict[str, str], body: bytes) -> bool:
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body, headers)
            except WebhookVerificationError:
                continue
            return True
        return False


@asynccontextmanager
async def running_receiver(receiver: Receiver | None = None) -> AsyncIterator[Receiver]:
    found = receiver or Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    async with server:
        yield found


@asynccontextmanager
async def running_silence() -> AsyncIterator[str]:
    """The URL of a receiver that takes what it gets and never answers."""

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
