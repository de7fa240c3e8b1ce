"""Calls to one service: a key per intended effect, bounded repeats, problems as exceptions."""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from lockstock_client.problems import (
    LockstockError,
    NoAnswer,
    Problem,
    problem_of,
    retry_after_of,
)
from lockstock_client.senders import Request, Sender

PAGE_ROWS = 100
T = TypeVar("T")
_UNREAD = (httpx.TransportError, httpx.DecodingError)
_AGAIN = frozenset({429, 502, 503, 504})
_WHERE = "is the address right?"
_STILL_RUNNING = "idempotency_key_in_progress"


@dataclass(frozen=True, slots=True)
class Retry:
    """When to ask again. Pauses double from `pause_seconds`, with full jitter, unless the service
    says how long to wait; a wait over `wait_seconds_max` is not waited for.
    """

    attempts_max: int = 5
    pause_seconds: float = 0.2
    pause_seconds_max: float = 5.0
    wait_seconds_max: float = 30.0

    def pause(self, attempt: int, asked: float | None = None) -> float | None:
        """Seconds until attempt `attempt + 1`, at least those `asked` for; None: give up."""
        if attempt >= self.attempts_max:
            return None
        if asked is not None and asked > self.wait_seconds_max:
            return None
        most = min(self.pause_seconds * 2 ** (attempt - 1), self.pause_seconds_max)
        # Not a secret: callers who failed together must not come back together.
        return (asked or 0.0) + random.uniform(0, most)  # noqa: S311 - see above


@dataclass(frozen=True, slots=True)
class Upload:
    """A file part of a form. `on_progress` hears the bytes sent so far, anew for each attempt."""

    file_name: str
    content: IO[bytes]
    on_progress: Callable[[int], None] | None = None


class Service:
    """One service of the set, spoken to with one API key. Errors name its host and the path below
    `base_url`, never that itself: a buyer's page has its token there.
    """

    def __init__(self, sender: Sender, base_url: str, api_key: str, retry: Retry):
        self._sender = sender
        self._base_url = base_url.rstrip("/")
        self._shown_url = _origin(base_url)
        self._headers = {"Authorization": f"Bearer {_sound(api_key)}"} if api_key else {}
        self._retry = retry

    async def get(self, path: str, **params: object) -> Any:
        """Raises Problem, NoAnswer. Parameters that are None are left out."""
        given = {name: str(value) for name, value in params.items() if value is not None}
        return await self._call("GET", path, {"params": given})

    async def post(self, path: str, body: object = None, *, key: str | None = None) -> Any:
        """A call that acts. All attempts carry one Idempotency-Key, so it acts once; give `key`
        to make repeats safe across crashes of the caller too.
        """
        return await self._call("POST", path, {"json": body}, key or str(uuid4()))

    async def post_idempotent(self, path: str, body: object) -> Any:
        """A call that acts once whatever its repeats, by what its body says: it needs no key, and
        the service may serve it together with others.
        """
        return await self._call("POST", path, {"json": body})

    async def post_json(self, path: str, content: bytes) -> Any:
        """As `post`, with a body that is JSON already: repeats send the very same bytes."""
        request = {"content": content}
        return await self._call("POST", path, request, str(uuid4()), media_type="application/json")

    async def patch(self, path: str, body: object) -> Any:
        """As `post`: sets what the body names."""
        return await self._call("PATCH", path, {"json": body}, str(uuid4()))

    async def put(self, path: str, body: object) -> Any:
        """Sets the whole of what the path names; a repeat changes nothing."""
        return await self._call("PUT", path, {"json": body})

    async def upload(
        self, path: str, upload: Upload, fields: Mapping[str, str], *, key: str | None = None
    ) -> Any:
        """As `post`, with a file."""
        file = _Counted(upload)
        form = {"data": fields, "files": {"file": (upload.file_name, file)}}
        return await self._call("POST", path, form, key or str(uuid4()), before=file.rewind)

    async def pages(self, path: str, **params: object) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list, page after page."""
        cursor: str | None = None
        while True:
            page = await self.get(path, **{"limit": PAGE_ROWS, **params, "cursor": cursor})
            for item in self._items(path, page):
                yield item
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    async def pages_of(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """As `pages`, of a list whose filters stand in a body: they belong in no address."""
        cursor: str | None = None
        while True:
            page = await self._call(
                "POST", path, {"json": {"limit": PAGE_ROWS, **body, "cursor": cursor}}
            )
            for item in self._items(path, page):
                yield item
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    async def stream(self, path: str, body: object) -> AsyncIterator[bytes]:
        """The body of an answer as it comes. Repeated only until something of it came; what is
        cut off afterwards is NoAnswer.
        """
        attempt, has_begun = 0, False
        while True:
            attempt += 1
            error: Exception
            try:
                request = {"json": body}
                chunks = self._sender.stream("POST", self._url(path), self._headers, request)
                async for chunk in chunks:
                    has_begun = True
                    yield chunk
            except _UNREAD as cut:
                error = NoAnswer(f"{self._shown('POST', path)}: {cut!r}")
                wait = None if has_begun else self._retry.pause(attempt)
            except Problem as problem:
                error = problem
                again = problem.status in _AGAIN
                wait = self._retry.pause(attempt, problem.retry_after) if again else None
            else:
                return
            if wait is None:
                raise error
            await self.pause(wait)

    async def pause(self, seconds: float) -> None:
        """Waits as this client does: in its loop, or blocking."""
        await self._sender.pause(seconds)

    async def apart(self, work: Callable[[], T]) -> T:
        """Runs work that takes long where it disturbs nobody."""
        return await self._sender.apart(work)

    def _url(self, path: str) -> str:
        return f"{self._base_url}{path}"

    def _shown(self, method: str, path: str) -> str:
        return f"{method} {path} of {self._shown_url}"

    def _items(self, path: str, page: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Those of a page. Raises NoAnswer where it is none."""
        items = page.get("items") if page is not None else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise NoAnswer(f"{self._shown('GET', path)}: the answer is no list; {_WHERE}")
        return items

    async def _call(
        self,
        method: str,
        path: str,
        request: Request,
        key: str | None = None,
        before: Callable[[], None] | None = None,
        media_type: str | None = None,
    ) -> Any:
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        headers |= {"Content-Type": media_type} if media_type else {}
        attempt = 0
        while True:
            attempt += 1
            if before is not None:
                before()
            answer, error = await self._attempt(method, path, headers, request)
            if answer is not None and not _worth_another(answer):
                return _content(self._shown(method, path), answer)
            pause = self._retry.pause(attempt, retry_after_of(answer) if answer else None)
            if pause is None:
                if answer is not None:
                    raise problem_of(answer)
                raise NoAnswer(f"{self._shown(method, path)}: {error!r}") from error
            await self.pause(pause)

    async def _attempt(
        self, method: str, path: str, headers: Mapping[str, str], request: Request
    ) -> tuple[httpx.Response | None, httpx.RequestError | None]:
        try:
            return await self._sender.send(method, self._url(path), headers, request), None
        except _UNREAD as error:
            return None, error
        except httpx.InvalidURL:
            raise LockstockError(f"{self._shown(method, path)}: that is no address") from None


class _Counted:
    """A file that tells how far it was read. httpx needs read, seek and tell, no more."""

    def __init__(self, upload: Upload) -> None:
        self._file = upload.content
        self._told = upload.on_progress

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        if self._told is not None:
            self._told(self._file.tell())
        return chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def rewind(self) -> None:
        """Every attempt sends the file from its start."""
        self._file.seek(0)


def _worth_another(answer: httpx.Response) -> bool:
    if answer.status_code in _AGAIN:
        return True
    # The first attempt still runs (its answer was lost on the way): its result is wanted.
    return answer.status_code == 409 and problem_of(answer).code == _STILL_RUNNING


def _sound(api_key: str) -> str:
    """The key itself. Raises LockstockError for what cannot stand in a header, where the error of
    the transport would show it.
    """
    if not api_key.isascii() or not api_key.isprintable():
        raise LockstockError("The API key holds characters that no key has: copy it once more.")
    return api_key


def _origin(url: str) -> str:
    """Scheme, host and port: what else a URL holds may be a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", "" if parts.port is None else f":{parts.port}"
    except ValueError:
        host = port = ""
    if not host:
        return "an address without a host"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _content(call: str, answer: httpx.Response) -> dict[str, Any] | None:
    """The JSON object of an answer, None where there is none to send. Raises Problem, and NoAnswer
    for what no service says: a login page, a redirect, JSON of another shape.
    """
    if answer.is_error:
        raise problem_of(answer)
    if answer.status_code == httpx.codes.NO_CONTENT:
        return None
    try:
        found = answer.json() if answer.is_success else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    raise NoAnswer(
        f"{call}: the answer (status {answer.status_code}) is no service's of the set; {_WHERE}"
    )
