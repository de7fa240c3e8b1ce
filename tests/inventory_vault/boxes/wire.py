"""A line between the command and the vault: it remembers what travels, and can be held up."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

from onebox.ports import free_ports


class Line:
    """Passes bytes on in both directions. `sent` is all that the command said."""

    def __init__(self, target_port: int) -> None:
        self.sent = bytearray()
        self.port = 0
        self.held_after: int | None = None
        """From so many bytes on nothing more is passed."""
        self.is_held = asyncio.Event()
        self._target_port = target_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Line"]:
        self.port = free_ports(1)[0]
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(
                self._pump(reader, far[1], self.sent), self._pump(far[0], writer, None)
            )

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        seen: bytearray | None,
    ) -> None:
        try:
            while chunk := await reader.read(65_536):
                if seen is not None:
                    seen += chunk
                    if self.held_after is not None and len(seen) > self.held_after:
                        self.is_held.set()
                        await asyncio.sleep(3_600)
                writer.write(chunk)
                await writer.drain()
        finally:
            writer.close()


def spellings_of(code: str) -> list[bytes]:
    """The code as it may stand in bytes: as it is, in hexadecimal, in base64 at any place."""
    raw = code.encode()
    found = [raw, raw.hex().encode(), raw.hex().upper().encode(), code.encode("utf-16-le")]
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw + bytes(3))
        first, last = (before * 8 + 5) // 6, (before + len(raw)) * 8 // 6
        found.append(text[first:last])
    return found
