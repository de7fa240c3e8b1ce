"""Calls between services: one warm client, a deadline, a service token, problem documents
understood.
"""

import functools
import ssl
import time
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self
from uuid import UUID

import aiohttp
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport

from kit.auth import SERVICE_TOKEN_SECONDS, ServiceTokens
from kit.context import request_id_var, traceparent_var
from kit.errors import Unavailable

CONNECTIONS_MAX = 32
IDLE_SECONDS_MAX = 5.0
"""Shorter than our servers keep a connection: nothing is written into one that they just closed."""
TIMEOUT_SECONDS = 5.0
_NONE: Mapping[str, str] = MappingProxyType({})


class PeerProblem(Exception):
    """The other service said no: a definite answer with its problem document."""

    def __init__(self, status: int, code: str, document: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.document = document


class PeerSilent(Unavailable):
    """Another service did not answer in time: whether it acted is unknown. Ask again by
    reference.
    """

    code = "peer_silent"


class Peer:
    """A client for one other service. Never sends a call that acts again by itself: that is the
    caller's decision, and each carries a reference that makes the repeat safe. (A read may be sent
    again, once, where its connection broke.)"""

    def __init__(
        self,
        base_url: str,
        *,
        service: str,
        tokens: ServiceTokens,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._service = service
        self._tokens = tokens
        self._token = ""
        self._token_age = 0.0
        self._base_url = base_url.rstrip("/")
        self._extensions = {"timeout": httpx.Timeout(timeout_seconds).as_dict()}
        self._carrier = transport or _carrier()

    async def post(
        self,
        path: str,
        body: Any,
        *,
        merchant_id: UUID | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """The decoded JSON answer. Raises PeerProblem (4xx, definite) or Unavailable (unknown).
        `idempotency_key`: a repeat with it and the same body gets the first answer again.
        """
        headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
        return await self._call(
            "POST",
            path,
            content=orjson.dumps(body),
            merchant_id=merchant_id,
            more_headers=headers,
        )

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        merchant_id: UUID | None = None,
    ) -> Any:
        """As `post`, for reads."""
        return await self._call("GET", path, params=params, merchant_id=merchant_id)

    async def close(self) -> None:
        await self._carrier.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        merchant_id: UUID | None,
        more_headers: Mapping[str, str] = _NONE,
        **request: Any,
    ) -> Any:
        headers = {**self._headers(merchant_id), **more_headers}
        try:
            answer = await self._send(method, path, headers=headers, **request)
        except (httpx.HTTPError, aiohttp.ClientError) as error:
            raise PeerSilent(f"{method} {path}: {type(error).__name__}") from error
        if _is_no_answer(answer.status_code):
            raise PeerSilent(f"{method} {path}: {answer.status_code}")
        try:
            document = orjson.loads(answer.content) if answer.content else None
        except orjson.JSONDecodeError as error:
            raise PeerSilent(f"{method} {path}: the answer is not JSON") from error
        if answer.status_code >= 400:
            problem = document if isinstance(document, dict) else {}
            raise PeerProblem(answer.status_code, str(problem.get("code", "unknown")), problem)
        return document

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """As httpx's client would, without what it does for redirects, cookies and the like: that
        is a third of what a call costs its caller.
        """
        asked = httpx.Request(method, self._base_url + path, extensions=self._extensions, **request)
        answer = await self._carrier.handle_async_request(asked)
        try:
            await answer.aread()
        finally:
            await answer.aclose()
        return answer

    def _headers(self, merchant_id: UUID | None) -> dict[str, str]:
        headers = {
            "authorization": f"Bearer {self._fresh_token()}",
            "content-type": "application/json",
        }
        if merchant_id is not None:
            headers["lockstock-merchant"] = str(merchant_id)
        if (request_id := request_id_var.get()) is not None:
            headers["x-request-id"] = request_id
        if (traceparent := traceparent_var.get()) is not None:
            headers["traceparent"] = traceparent
        return headers

    def _fresh_token(self) -> str:
        now = time.time()
        if now - self._token_age > SERVICE_TOKEN_SECONDS / 2:
            self._token, self._token_age = self._tokens.issue(self._service, now=now), now
        return self._token


def _is_no_answer(status: int) -> bool:
    """Whether it says nothing about what was asked for. A refused token (the shared secret is being
    changed, or the clocks differ) passes: taken for a no it would end what was asked for.
    """
    return status >= 500 or status in (401, 429) or 300 <= status < 400


def _carrier() -> httpx.AsyncBaseTransport:
    """httpx over aiohttp's connections, parsed in C: httpx's own, in Python down to the last byte,
    cost a caller more CPU than everything else of a call.
    """
    limits = httpx.Limits(max_connections=CONNECTIONS_MAX, keepalive_expiry=IDLE_SECONDS_MAX)
    return AiohttpTransport(verify=_trust(), limits=limits, trust_env=False)


@functools.cache
def _trust() -> ssl.SSLContext:
    """Read once: the certificates that are believed take 30 ms to read."""
    return httpx.create_ssl_context(trust_env=False)
