"""HTTP/1.1 over keep-alive connections, as cheap as it can be: thousands of calls in a test."""

import asyncio
import time
from dataclasses import dataclass

import orjson

IDLE_SECONDS_MAX = 10.0
"""The server closes an idle connection after 30 s: never write into one that it is closing."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    @property
    def code(self) -> str:
        """The problem's code; empty for an answer of a call that took effect."""
        return str(orjson.loads(self.body).get("code", "")) if self.status >= 400 else ""


class Line:
    """One connection; one call after the other. Opens again after a broken one."""

    def __init__(self, port: int, token: str = "") -> None:
        self._port = port
        self._head = f"host: order\r\ncontent-type: application/json\r\nauthorization: {token}\r\n"
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._used_at = 0.0

    async def post(self, path: str, body: bytes, key: str = "") -> Answer:
        """Raises ConnectionError when there is no whole answer: the outcome is unknown."""
        try:
            return await self._post(path, body, key)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise ConnectionError(str(error)) from error

    async def _post(self, path: str, body: bytes, key: str) -> Answer:
        if time.monotonic() - self._used_at > IDLE_SECONDS_MAX:
            self.close()
        self._used_at = time.monotonic()
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        keyed = f"idempotency-key: {key}\r\n" if key else ""
        length = f"content-length: {len(body)}\r\n\r\n"
        self._writer.write(f"POST {path} HTTP/1.1\r\n{self._head}{keyed}{length}".encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        at = head.find(b"content-length:") + len(b"content-length:")
        size = int(head[at : head.find(b"\r\n", at)])
        return Answer(int(head[9:12]), await self._reader.readexactly(size))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
