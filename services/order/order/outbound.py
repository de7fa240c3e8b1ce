"""The way out to a payment provider: one client each, deadlines, bounded answers, no surprises."""

import asyncio
import functools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from kit.errors import Unavailable

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 8.0
POOL_SECONDS = 2.0
CONNECTIONS_MAX = 20
ANSWER_BYTES_MAX = 1_048_576
_PIECE_BYTES = 65_536


class Unanswered(Unavailable):
    """The payment provider did not answer clearly; the same call may be made again."""

    code = "provider_silent"

    def __init__(self, why: str) -> None:
        super().__init__(f"the payment provider did not answer: {why}")


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer of a provider, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_unclear(self) -> bool:
        """Too many calls or trouble over there: whether it acted is not known."""
        return self.status >= 500 or self.status == 429 or 300 <= self.status < 400

    def document(self) -> dict[str, Any]:
        """The JSON object. Raises Unanswered when it is none."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise Unanswered("its answer is not JSON") from error
        if not isinstance(found, dict):
            raise Unanswered("its answer is no JSON object")
        return found


@functools.cache
def _trust() -> ssl.SSLContext:
    """Read once: the certificates that are believed take 30 ms to read."""
    return httpx.create_ssl_context()


class Connection:
    """Never retries, never follows a redirect: who calls decides, by a reference that makes the
    repeat safe. Raises ValueError for a base URL that is neither https nor loopback.
    """

    def __init__(self, base_url: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        check_base_url(base_url)
        self.base_url = base_url.rstrip("/")
        self.base_path = urlsplit(self.base_url).path
        self._whole_seconds = 2 * answer_seconds
        self._client = httpx.AsyncClient(
            base_url=self.base_url,
            timeout=httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS, pool=POOL_SECONDS),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            transport=httpx.AsyncHTTPTransport(verify=_trust(), retries=0),
            follow_redirects=False,
            headers={"accept": "application/json", "user-agent": "lockstock"},
            trust_env=False,
        )

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes = b""
    ) -> Answered:
        """Raises Unanswered."""
        request = self._client.build_request(
            method, path, headers=dict(headers), content=content or None
        )
        try:
            # An answer that comes in drops never runs into the client's own deadlines.
            async with asyncio.timeout(self._whole_seconds):
                answer = await self._client.send(request, stream=True)
                try:
                    body = await _read(answer)
                finally:
                    await answer.aclose()
        except TimeoutError as error:
            raise Unanswered("it takes too long") from error
        except httpx.HTTPError as error:
            raise Unanswered(type(error).__name__) from error
        return Answered(answer.status_code, dict(answer.headers), body)

    async def close(self) -> None:
        await self._client.aclose()


def check_base_url(url: str) -> None:
    """Raises ValueError unless it is https, or http to this very machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read it to have it looked at
    except ValueError:
        raise ValueError(f"{url} is no base URL") from None
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"{url} is no base URL")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return
    raise ValueError(f"{url}: https is required unless the host is loopback")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _read(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes(_PIECE_BYTES):
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise Unanswered("its answer is too large")
    return bytes(body)
