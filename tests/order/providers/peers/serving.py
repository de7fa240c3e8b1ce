"""A payment provider on loopback that speaks its protocol, and misbehaves when it is told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from enum import StrEnum

import uvicorn
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from onebox.ports import free_ports

SILENCE_SECONDS = 1.2
"""Longer than the tests' clients wait."""


class Mood(StrEnum):
    """How one request is treated; `done` ones take effect all the same."""

    SILENT = "silent"
    DONE_SILENT = "done, then silent"
    FAULT = "500"
    DONE_FAULT = "done, then 500"
    GARBAGE = "garbage"
    DONE_GARBAGE = "done, then garbage"
    DONE_CUT = "done, then cut off"
    REDIRECT = "redirect"
    HUGE = "huge"
    SLOW = "slow"
    BLOCKED = "refused by somebody between"


_SILENT = frozenset({Mood.SILENT, Mood.DONE_SILENT})
_DONE = frozenset({Mood.DONE_SILENT, Mood.DONE_FAULT, Mood.DONE_GARBAGE, Mood.DONE_CUT, Mood.SLOW})


class MoodyPeer:
    """Subclasses answer `serve`. `moods` are used up one per request; `asked` is what came."""

    def __init__(self) -> None:
        self.moods: list[Mood | None] = []
        self.asked: list[str] = []
        self.url = ""

    async def serve(self, request: Request, body: bytes) -> Response:
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        self.asked.append(f"{request.method} {request.url.path}")
        mood = self.moods.pop(0) if self.moods else None
        if mood is None or mood in _DONE:
            answer = await self.serve(request, body)
            if mood is not None:
                answer = await self._spoiled(mood, answer)
        else:
            answer = await self._spoiled(mood, Response())
        await answer(scope, receive, send)

    async def _spoiled(self, mood: Mood, answer: Response) -> Response:
        if mood in _SILENT:
            await asyncio.sleep(SILENCE_SECONDS)
        if mood is Mood.DONE_CUT:
            return _cut(answer)
        if mood is Mood.SLOW:
            return StreamingResponse(_drops(bytes(answer.body)))
        return _instead(mood) or answer


def _instead(mood: Mood) -> Response | None:
    match mood:
        case Mood.FAULT | Mood.DONE_FAULT:
            return Response(b'{"error":"trouble"}', status_code=500)
        case Mood.GARBAGE | Mood.DONE_GARBAGE:
            return Response(b"<html>\xff\xfe busy", media_type="text/html")
        case Mood.REDIRECT:
            return Response(status_code=302, headers={"location": "http://127.0.0.1:1/"})
        case Mood.HUGE:
            return Response(b"{" + b" " * 2_000_000 + b"}", media_type="application/json")
        case Mood.BLOCKED:
            return Response(b"<html>not from here", status_code=403, media_type="text/html")
    return None


def _cut(answer: Response) -> Response:
    """Says how long it is and sends half."""

    async def half() -> AsyncIterator[bytes]:
        yield bytes(answer.body)[: len(answer.body) // 2]

    headers = {"content-length": str(max(len(answer.body), 2))}
    return StreamingResponse(half(), headers=headers)


async def _drops(body: bytes) -> AsyncIterator[bytes]:
    for place in range(len(body) or 1):
        await asyncio.sleep(0.3)
        yield body[place : place + 1]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(peer: MoodyPeer) -> AsyncIterator[str]:
    """The peer's base URL, for the length of the block."""
    port = free_ports(1)[0]
    config = uvicorn.Config(
        peer,
        host="127.0.0.1",
        port=port,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn offers a flag only
        await asyncio.sleep(0.01)
    peer.url = f"http://127.0.0.1:{port}"
    try:
        yield peer.url
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=5)
