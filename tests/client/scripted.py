"""A real HTTP server on a real socket that answers what a test wrote down."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

HANG_UP = object()
"""Instead of an answer: the connection is cut after the request was read."""


@dataclass(slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class ScriptedServer:
    """Answers in order; the last answer is repeated."""

    answers: list[Any]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.seen.append(await _read(reader))
            number = min(len(self.seen), len(self.answers)) - 1
            answer = self.answers[number]
            if answer is not HANG_UP:
                writer.write(_bytes(*answer))
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


def ok(body: Any, status: int = 200, **headers: str) -> tuple[int, Any, dict[str, str]]:
    return status, body, headers


def problem(status: int, code: str, headers: dict[str, str] | None = None, **members: Any):
    return status, {"status": status, "code": code, "detail": f"{code}!", **members}, headers or {}


@asynccontextmanager
async def serving(*answers: Any) -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer(list(answers))
    server = await asyncio.start_server(scripted.answer, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield scripted


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, target, headers, body)


def _bytes(status: int, body: Any, headers: dict[str, str]) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content_Length": str(len(content)), **headers}  # a test may promise more
    lines = [f"HTTP/1.1 {status} Scripted", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content
