"""HTTP/1.1 between our own services, over connections that stay open.

Decision: httpx stays the client that everybody knows (and that tests give another transport), but
what it carries its calls by is written in Python down to the last byte: a claim cost fulfillment a
third of its CPU, most of it there. Parsed by httptools, as the server side does. The price is this
file; TLS and whatever else is not between us goes httpx's own way.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import httptools
import httpx

ANSWER_BYTES_MAX = 67_108_864
"""Far above any answer of ours: 200 claims of 5,000 units each come in parts."""
IDLE_SECONDS_MAX = 5.0
"""Shorter than servers keep a connection: nothing is written into one that they just closed."""

Address = tuple[str, int]


class PeerTransport(httpx.AsyncBaseTransport):
    """At most `connections_max` connections; raises httpx's errors, as its own transport does."""

    def __init__(self, *, connections_max: int) -> None:
        self._idle: dict[Address, list[_Connection]] = {}
        self._free = asyncio.Semaphore(connections_max)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        seconds = request.extensions.get("timeout", {})
        payload = _head(request) + await request.aread()
        async with self._turn(seconds.get("pool")):
            connection = await self._connection(request, seconds.get("connect"))
            try:
                async with asyncio.timeout(seconds.get("read")):
                    answer = await connection.exchange(payload)
            except BaseException as error:
                # Half an answer may still come: nobody must take it for his own.
                connection.close()
                if isinstance(error, TimeoutError):
                    raise httpx.ReadTimeout("no answer in time", request=request) from error
                if isinstance(error, OSError | httptools.HttpParserError):
                    raise httpx.RemoteProtocolError(str(error), request=request) from error
                raise
            self._keep(request, connection)
        status, headers, body = answer
        return httpx.Response(status, headers=headers, content=body, request=request)

    async def aclose(self) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    @asynccontextmanager
    async def _turn(self, seconds: float | None) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("all connections are in use") from error
        try:
            yield
        finally:
            self._free.release()

    async def _connection(self, request: httpx.Request, seconds: float | None) -> "_Connection":
        address = _address(request)
        idle = self._idle.get(address, [])
        while idle:
            connection = idle.pop()
            if connection.is_fit:
                return connection
            connection.close()
        try:
            async with asyncio.timeout(seconds):
                _, made = await asyncio.get_running_loop().create_connection(_Connection, *address)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time", request=request) from error
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        return made

    def _keep(self, request: httpx.Request, connection: "_Connection") -> None:
        if connection.stays_open:
            connection.idle_since = time.monotonic()
            self._idle.setdefault(_address(request), []).append(connection)
        else:
            connection.close()


Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class _Connection(asyncio.Protocol):
    """One exchange after the other. The parser calls the `on_` methods."""

    def __init__(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self.stays_open = False
        self.idle_since = 0.0

    @property
    def is_fit(self) -> bool:
        """Whether a call may be written into it."""
        is_fresh = time.monotonic() - self.idle_since < IDLE_SECONDS_MAX
        return is_fresh and not self._transport.is_closing()

    async def exchange(self, payload: bytes) -> Answer:
        """The answer to a whole request. Raises ConnectionError, HttpParserError."""
        self._headers, self._body, self._size, self.stays_open = [], [], 0, False
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(payload)
        return await self._answer

    def close(self) -> None:
        self._answer = None
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or ConnectionResetError("closed before the answer came"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > ANSWER_BYTES_MAX:
            self._fail(ConnectionError(f"the answer has more than {ANSWER_BYTES_MAX} bytes"))
            return
        self._body.append(data)

    def on_message_complete(self) -> None:
        if self._answer is None or self._answer.done():
            # An answer that nobody asked for: what comes next belongs to nobody either.
            self._transport.close()
            return
        self.stays_open = self._parser.should_keep_alive()
        status = self._parser.get_status_code()
        self._answer.set_result((status, self._headers, b"".join(self._body)))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        with suppress(AttributeError):  # lost while it was being made
            self._transport.close()


def _address(request: httpx.Request) -> Address:
    return request.url.host, request.url.port or 80


def _head(request: httpx.Request) -> bytes:
    lines = [b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%b: %b\r\n" % header for header in request.headers.raw]
    return b"".join(lines) + b"\r\n"
