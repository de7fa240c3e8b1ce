"""A lean HTTP/1.1 client: with two cores for everything, a comfortable one would cost more than
the vault it asks.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from onebox.ports import LOOPBACK

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NotSent(Exception):
    """Nobody listens: the call certainly did nothing."""


class Lost(Exception):
    """Sent, at least in part, and no whole answer came in time: anything may have happened."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class Wire:
    """Keep-alive connections of one caller to the ports of the loopback interface."""

    def __init__(self, headers: Callable[[], Mapping[str, str]], seconds_max: float) -> None:
        self._headers = headers
        self._seconds_max = seconds_max
        self._idle: defaultdict[int, list[Stream]] = defaultdict(list)

    async def send(
        self, port: int, method: str, path: str, body: bytes = b"", kind: str = "application/json"
    ) -> Answer:
        """Raises NotSent or Lost."""
        stream = await self._stream(port)
        try:
            async with asyncio.timeout(self._seconds_max):
                answer = await _exchange(stream, self._head(method, path, body, kind) + body)
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError) as error:
            stream[1].close()
            raise Lost from error
        self._idle[port].append(stream)
        return answer

    def close(self) -> None:
        for streams in self._idle.values():
            for _, writer in streams:
                writer.close()

    async def _stream(self, port: int) -> Stream:
        while self._idle[port]:
            reader, writer = self._idle[port].pop()
            if not reader.at_eof() and reader.exception() is None:
                return reader, writer
            writer.close()
        try:
            async with asyncio.timeout(self._seconds_max):
                return await asyncio.open_connection(LOOPBACK, port, limit=1 << 20)
        except (TimeoutError, OSError) as error:
            raise NotSent from error

    def _head(self, method: str, path: str, body: bytes, kind: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: vault", f"Content-Length: {len(body)}"]
        if body:
            lines.append(f"Content-Type: {kind}")
        lines += [f"{name}: {value}" for name, value in self._headers().items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _exchange(stream: Stream, request: bytes) -> Answer:
    reader, writer = stream
    writer.write(request)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    at = head.lower().find(b"content-length:")
    length = int(head[at + 15 : head.find(b"\r\n", at)])
    return Answer(int(head[9:12]), await reader.readexactly(length))


def form(fields: Mapping[str, str], file_name: str, data: bytes) -> tuple[bytes, str]:
    """(body, content type) of an upload."""
    mark = secrets.token_hex(12)
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    disposition = f'form-data; name="file"; filename="{file_name}"'
    parts += [f"--{mark}\r\nContent-Disposition: {disposition}\r\n\r\n".encode(), data]
    return b"".join(
        [*parts, f"\r\n--{mark}--\r\n".encode()]
    ), f"multipart/form-data; boundary={mark}"
