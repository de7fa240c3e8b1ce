"""The way to suppliers: one call, one deadline, one honest answer. The only file that sends there.

Nothing is retried, no redirect followed, no large answer read. Where not a byte was sent the answer
is NotSent; after the first byte anything but a whole answer is Unknown. An address is looked up and
checked before, and the connection goes to the address that was checked.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address

import httpx

from fulfillment.connector import NotSent, Unknown

ANSWER_BYTES_MAX = 65_536
CONNECT_SECONDS_MAX = 5.0
KEPT_CONNECTIONS_MAX = 50

UNREACHABLE = "supplier_unreachable"
NO_ANSWER = "no_answer"
BAD_ANSWER = "bad_answer"


@dataclass(frozen=True, slots=True)
class Heard:
    """A whole answer, as it came: nothing of it is believed yet."""

    status: int
    body: bytes


class Outside:
    """`allow_private`: also addresses of this machine and its networks, for tests and local use."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        # As many connections as calls: one that waits for its turn would look sent and is not.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS_MAX)
        self._client = httpx.AsyncClient(
            limits=limits, follow_redirects=False, trust_env=False, transport=None
        )

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes = b"",
        timeout: timedelta,
    ) -> Heard | NotSent | Unknown:
        """Raises nothing for what the other side does."""
        seconds = timeout.total_seconds()
        try:
            address = await self._address(httpx.URL(url), seconds)
        except (OSError, ValueError, httpx.InvalidURL):
            return NotSent(UNREACHABLE)
        if address is None:
            return NotSent("address_not_allowed")
        request = self._request(method, httpx.URL(url), address, headers, content, seconds)
        try:
            async with asyncio.timeout(seconds):
                return await self._hear(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return NotSent(UNREACHABLE)
        except (httpx.HTTPError, TimeoutError, OSError):
            return Unknown(NO_ANSWER)

    async def close(self) -> None:
        await self._client.aclose()

    async def _hear(self, request: httpx.Request) -> Heard | Unknown:
        answer = await self._client.send(request, stream=True)
        try:
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > ANSWER_BYTES_MAX:
                    return Unknown(BAD_ANSWER)
        finally:
            await answer.aclose()
        return Heard(answer.status_code, body)

    def _request(
        self,
        method: str,
        url: httpx.URL,
        address: str,
        headers: Mapping[str, str],
        content: bytes,
        seconds: float,
    ) -> httpx.Request:
        """To the address that was checked, under the name that was asked for."""
        connect = min(seconds / 2, CONNECT_SECONDS_MAX)
        return self._client.build_request(
            method,
            url.copy_with(host=address),
            headers={**headers, "Host": url.netloc.decode("ascii")},
            content=content,
            timeout=httpx.Timeout(seconds, connect=connect),
            extensions={"sni_hostname": url.host},
        )

    async def _address(self, url: httpx.URL, seconds: float) -> str | None:
        """None when one of its addresses is none of the public internet."""
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"{url.scheme} is not spoken")
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(
                url.host, url.port or 443, type=socket.SOCK_STREAM
            )
        addresses = [str(each[4][0]) for each in found]
        if self._allow_private or all(_is_public(address) for address in addresses):
            return addresses[0]
        return None


def _is_public(address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    return bool(mapped.is_global) and not mapped.is_multicast
