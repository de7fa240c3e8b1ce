"""One small HTTP GET, for readiness; without a client library's start-up cost."""

import asyncio
from collections.abc import Mapping

from onebox.ports import LOOPBACK


async def get(
    port: int, path: str, *, headers: Mapping[str, str] | None = None, seconds_max: float = 3.0
) -> tuple[int, bytes]:
    """(status, body) of `GET path` on the loopback port; (0, b"") when nobody answers in time."""
    try:
        async with asyncio.timeout(seconds_max):
            return await _get(port, path, headers or {})
    except (OSError, TimeoutError, ValueError, IndexError, asyncio.IncompleteReadError):
        return 0, b""


async def _get(port: int, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        lines = [f"GET {path} HTTP/1.0", f"Host: {LOOPBACK}:{port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split()[1]), body
    finally:
        writer.close()
