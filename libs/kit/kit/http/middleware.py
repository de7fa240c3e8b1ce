"""One pure ASGI middleware: request id, trace, body limit, deadline-free metrics and one log line.

Pure ASGI on purpose: BaseHTTPMiddleware cancels handlers when clients hang up (sqlalchemy#12099).
"""

import time
from collections.abc import Awaitable, Callable
from functools import lru_cache

from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.context import accept_request_id, accept_traceparent, request_id_var, traceparent_var
from kit.http.headers import header
from kit.http.problems import bug_response, problem_response, route_of
from kit.logging import get_logger
from kit.tenancy import act_for_nobody, forget

log = get_logger("kit.http")

REQUESTS = Counter("http_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "http_request_seconds",
    "Time to answer; seconds",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
# Looked up once each: routes and statuses are few, and finding a child costs more than it does.
_requests_of = lru_cache(maxsize=2_000)(REQUESTS.labels)
_seconds_of = lru_cache(maxsize=1_000)(SECONDS.labels)
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


class BodyTooLarge(HTTPException):
    """The body grew past the limit while it was read; FastAPI lets HTTPExceptions through."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body may have {limit} bytes at most")


class Backbone:
    """Wraps the whole app; see the module's text. What `shortcuts` answer goes no further."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_bytes_max: int,
        large_bodies: dict[str, int],
        shortcuts: Callable[[Scope, Receive, Send], Awaitable[bool]],
    ) -> None:
        self._app = app
        self._shortcuts = shortcuts
        self._body_bytes_max = body_bytes_max
        self._large_bodies = large_bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id_var.set(accept_request_id(header(scope, b"x-request-id")))
        traceparent_var.set(accept_traceparent(header(scope, b"traceparent")))
        answer = _Answer(send)
        started = time.perf_counter()
        acting = act_for_nobody()
        try:
            await self._limited(scope, receive, answer)
        except Exception:
            # Caught here and not by Starlette's outermost layer, so that the answer has its
            # request id and the log line its context.
            log.exception("bug", route=route_of(scope), method=scope["method"])
            if answer.started:
                raise
            await bug_response(scope["path"])(scope, receive, answer)
        finally:
            forget(acting)
            self._record(scope, answer.status, time.perf_counter() - started)

    async def _limited(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        limit = self._limit(scope["path"])
        length = header(scope, b"content-length")
        if length is not None and (not length.isdigit() or int(length) > limit):
            detail = f"the body may have {limit} bytes at most"
            await problem_response(scope["path"], 413, "body_too_large", detail)(
                scope, receive, answer
            )
            return
        counted = _counted(receive, limit)
        if not await self._shortcuts(scope, counted, answer):
            await self._app(scope, counted, answer)

    def _limit(self, path: str) -> int:
        for suffix, limit in self._large_bodies.items():
            if path.endswith(suffix):
                return limit
        return self._body_bytes_max

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        pattern = route_of(scope)
        _requests_of(scope["method"], pattern, status).inc()
        _seconds_of(scope["method"], pattern).observe(seconds)
        if scope["path"] not in _QUIET and (status >= 400 or seconds > 1):
            log.info(
                "http",
                method=scope["method"],
                route=pattern,
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )


class _Answer:
    """Remembers the status and adds the headers every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            named = {name for name, _ in headers}
            headers.append((b"x-request-id", (request_id_var.get() or "").encode()))
            headers += [header for header in _HEADERS if header[0] not in named]
            message["headers"] = headers
        await self._send(message)


def _counted(receive: Receive, limit: int) -> Receive:
    """`receive` that refuses to hand on more than `limit` bytes (chunked bodies have no length)."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                raise BodyTooLarge(limit)
        return message

    return counted
