"""The way out: one call, one deadline, one honest answer. The only file that sends to suppliers,
merchants' systems, gateways and receivers of webhooks.

Nothing is retried, no redirect followed, no proxy used, no large answer read. Where not a byte was
sent the answer is NotSent; after the first byte anything but a whole answer is Unknown. Where a
call may go at all is decided by `kit.outward`.
"""

import asyncio
import functools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import httpcore

from fulfillment.connector import NotSent, Unknown
from kit.outward import (
    CheckedNetwork,
    Dial,
    Lookups,
    NotAllowed,
    Resolve,
    Rules,
    Target,
    is_allowed,
    target_of,
)

ANSWER_BYTES_MAX = 65_536
LISTING_BYTES_MAX = 1_048_576
CONNECT_SECONDS_MAX = 5.0
KEPT_CONNECTIONS_MAX = 50
KEPT_SECONDS = 5.0
"""Shorter than most servers keep an idle connection: they are not to close it under a call."""

UNREACHABLE = "supplier_unreachable"
NOT_ALLOWED = "address_not_allowed"
NO_ANSWER = "no_answer"
BAD_ANSWER = "bad_answer"

_NOT_A_BYTE = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout)
_NO_WHOLE_ANSWER = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    TimeoutError,
    OSError,
)


@functools.cache
def _everybodys_trust() -> ssl.SSLContext:
    """Read once: the certificates that are believed take 30 ms to read."""
    return httpcore.default_ssl_context()


@dataclass(frozen=True, slots=True)
class Heard:
    """A whole answer, as it came: nothing of it is believed yet. Header names are lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Outside:
    """`allow_private`: also this machine, its networks, plain http and any port, for tests and
    local use. `ports`: what else may be called than 443. `trust`: whose certificates are believed.
    `resolve` and `dial` stand in for the internet, in tests.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        ports: frozenset[int] = frozenset(),
        trust: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        dial: Dial | None = None,
    ) -> None:
        self.rules = Rules(allow_private, ports | {443})
        self._lookups = Lookups()
        # As many connections as calls: one that waits for its turn would look sent and is not.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust or _everybodys_trust(),
            max_connections=None,
            max_keepalive_connections=KEPT_CONNECTIONS_MAX,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=CheckedNetwork(self.rules, resolve or self._lookups, dial),
        )

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes = b"",
        timeout: timedelta,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Heard | NotSent | Unknown:
        """Raises nothing for what the other side does."""
        seconds = timeout.total_seconds()
        try:
            target = target_of(url, self.rules)
            request = _request(method, target, headers, content, seconds)
            async with asyncio.timeout(seconds):
                return await self._hear(request, bytes_max)
        except NotAllowed:
            return NotSent(NOT_ALLOWED)
        except _NOT_A_BYTE:
            return NotSent(UNREACHABLE)
        except _NO_WHOLE_ANSWER:
            return Unknown(NO_ANSWER)

    async def address_of(self, host: str, port: int) -> str:
        """An address of the host that may be connected to, for what speaks no HTTP. Raises
        NotAllowed, OSError.
        """
        addresses = await self._lookups(host, port)
        if not addresses or not all(is_allowed(address, self.rules) for address in addresses):
            raise NotAllowed("its address is not one of the public internet")
        return addresses[0]

    async def close(self) -> None:
        await self._pool.aclose()
        self._lookups.close()

    async def _hear(self, request: httpcore.Request, bytes_max: int) -> Heard | Unknown:
        answer = await self._pool.handle_async_request(request)
        try:
            body = bytearray()
            async for piece in answer.aiter_stream():
                body += piece
                if len(body) > bytes_max:
                    return Unknown(BAD_ANSWER)
        finally:
            await answer.aclose()
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in answer.headers
        }
        return Heard(answer.status, bytes(body), headers)


def _request(
    method: str, target: Target, headers: Mapping[str, str], content: bytes, seconds: float
) -> httpcore.Request:
    """With nothing in it that was not asked for; an answer is wanted as it is, not packed."""
    connect = min(seconds / 2, CONNECT_SECONDS_MAX)
    sent = {
        "Host": target.authority,
        "User-Agent": "lockstock",
        "Accept-Encoding": "identity",
        **headers,
    }
    if content or method not in ("GET", "HEAD", "DELETE"):
        sent["Content-Length"] = str(len(content))
    return httpcore.Request(
        method,
        httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
        headers=[(name.encode("ascii"), value.encode("utf-8")) for name, value in sent.items()],
        content=content,
        extensions={
            "timeout": {"connect": connect, "read": seconds, "write": seconds, "pool": seconds}
        },
    )
