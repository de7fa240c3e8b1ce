"""Load generators: closed (so many callers, each sending its next request when it has its answer)
and open (each request when it is due, whatever the answers take).

A bare asyncio.Protocol over keep-alive connections: on a machine with two cores a comfortable
client would cost more than the server it measures.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self, cast


@dataclass(slots=True)
class Outcome:
    """What a load got: answers by status, seconds it took, latencies in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return sum(self.statuses.values()) / self.seconds

    def add(self, other: "Outcome") -> None:
        """Counts another load in."""
        self.statuses += other.statuses
        self.seconds += other.seconds
        self.latencies += other.latencies

    def percentile(self, share: float) -> float:
        """Seconds below which `share` of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def request_bytes(path: str, body: bytes, token: str, merchant_id: str | None = None) -> bytes:
    """A complete HTTP/1.1 POST; a service's token acts for the merchant it names."""
    acting = f"lockstock-merchant: {merchant_id}\r\n" if merchant_id else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {token}\r\n{acting}content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run_load(
    port: int,
    next_request: Callable[[], bytes],
    *,
    callers: int,
    seconds: float,
    per_second: float | None = None,
) -> Outcome:
    """Runs the load and waits for the last answers. `per_second` paces it: each caller has a
    timetable of its own. A call whose caller still waited for the answer before is sent at once
    when that one comes, and its latency counts from when it was due: a stall is felt by all calls
    that fell into it, not only by those already under way.
    """
    outcome = Outcome()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    deadline = started + seconds
    pace = callers / per_second if per_second else 0.0
    connections = [
        (
            await loop.create_connection(
                lambda number=number: _Caller(  # type: ignore[misc]  # default binds the number
                    next_request, outcome, deadline, pace, pace * number / callers
                ),
                "127.0.0.1",
                port,
            )
        )[1]
        for number in range(callers)
    ]
    await asyncio.gather(*(connection.finished for connection in connections))
    outcome.seconds = time.perf_counter() - started
    return outcome


async def run_on_time(
    port: int,
    next_request: Callable[[], bytes],
    *,
    per_second: float,
    seconds: float,
    answered: Callable[[bytes], None],
) -> Outcome:
    """An open loop: every request goes when it is due, over an idle connection or a new one; its
    latency counts from then. Waits for the last answers; `answered` gets the body of each."""
    outcome, pool = Outcome(), _Pool(port)
    started = time.perf_counter()

    async def send(due: float) -> None:
        async with pool.connection() as exchange:
            status, body = await exchange.ask(next_request())
        outcome.latencies.append(time.perf_counter() - due)
        outcome.statuses[status] += 1
        answered(body)

    async with asyncio.TaskGroup() as sending:
        for number in range(int(per_second * seconds)):
            due = started + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            sending.create_task(send(due))
    await pool.close()
    outcome.seconds = time.perf_counter() - started
    return outcome


class _Pool:
    """Connections that are kept open; a new one whenever all are busy."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Exchange] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Exchange"]:
        exchange = self._idle.pop() if self._idle else await Exchange(self._port).__aenter__()
        yield exchange
        self._idle.append(exchange)

    async def close(self) -> None:
        for exchange in self._idle:
            await exchange.__aexit__()


class _Caller(asyncio.Protocol):
    def __init__(
        self,
        next_request: Callable[[], bytes],
        outcome: Outcome,
        deadline: float,
        pace: float,
        delay: float,
    ) -> None:
        self._next_request = next_request
        self._outcome = outcome
        self._deadline = deadline
        self._pace = pace
        self._delay = delay
        self._buffer = b""
        # When the call under way was due; if it could have been sent then, when it was.
        self._counted_from = 0.0
        self._due = 0.0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._due = time.perf_counter() + self._delay
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._send)
        else:
            self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        at = self._buffer.lower().find(b"content-length:", 0, head_end)
        length = int(self._buffer[at + 15 : self._buffer.find(b"\r\n", at)])
        if len(self._buffer) < head_end + 4 + length:
            return
        now = time.perf_counter()
        self._outcome.statuses[int(self._buffer[9:12])] += 1
        self._outcome.latencies.append(now - self._counted_from)
        self._buffer = b""
        if now >= self._deadline:
            self._transport.close()
            return
        # Each caller keeps to its own timetable: after a stall they do not march in step.
        self._due += self._pace
        if self._due > now:
            asyncio.get_running_loop().call_later(self._due - now, self._send)
        elif self._pace:
            self._send(due=self._due)
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if self.finished.done():
            return
        if error is None:
            self.finished.set_result(None)
        else:
            self.finished.set_exception(error)

    def _send(self, due: float | None = None) -> None:
        request = self._next_request()
        # A load that is woken late is late itself: a caller elsewhere would not have been.
        self._counted_from = due or time.perf_counter()
        self._transport.write(request)


class Exchange:
    """One keep-alive connection, one request after the other, bodies of any size."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def send(self, request: bytes) -> bytes:
        """The answer's body; anything but 200 or 201 ends the benchmark."""
        status, body = await self.ask(request)
        if status not in (200, 201):
            raise SystemExit(f"the answer was {status}: {body.decode()[:300]}")
        return body

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The answer's status and body."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length:")
        body = await self._reader.readexactly(int(head[at + 15 : head.index(b"\r\n", at)]))
        return int(head[9:12]), body
