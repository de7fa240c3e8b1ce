import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from inventory_vault.opener.protocol import IDS_MAX, BadFrame, frame, read_frame
from kit.errors import Unavailable
from sealing import Seal

READ_AHEAD_BYTES = 4_194_304
"""Buffered before the opener has to wait: an answer of 10,000 units comes in a few reads."""


class OpenerSilent(Unavailable):
    """The opener does not answer; nothing was handed out, and the same call may be repeated."""

    code = "opener_unavailable"


class OpenerClient:
    """One connection to the opener, shared by all calls of the process and made anew when lost."""

    def __init__(self, socket: Path, *, timeout_seconds: float) -> None:
        self._socket = socket
        self._timeout_seconds = timeout_seconds
        self._connecting = asyncio.Lock()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_number = 0

    async def active_key(self) -> dict[str, str]:
        """{key_id, public_key}: what new stock is sealed to. Raises OpenerSilent."""
        key: dict[str, str] = (await self._ask({"op": "active_key"}))["key"]
        return key

    async def attest(self, seal: Seal) -> bytes | None:
        """The proof of a seal; None when its key is not in use. Raises OpenerSilent."""
        asked = {
            "merchant_id": str(seal.merchant_id),
            "lot_id": str(seal.lot_id),
            "seal_no": seal.seal_no,
            "key_id": str(seal.key_id),
            "sender_public_key": seal.sender_public_key.hex(),
        }
        proof = (await self._ask({"op": "attest", "seal": asked}))["proof"]
        return None if proof is None else bytes.fromhex(proof)

    async def handouts(self, ids: Sequence[UUID]) -> dict[str, dict[str, Any]]:
        """Per handout id its units' boxes by unit id: {handout: {unit: box | {"error": code}}}."""
        boxes: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), IDS_MAX):
            asked = [str(id_) for id_ in ids[start : start + IDS_MAX]]
            boxes.update((await self._ask({"op": "handouts", "ids": asked}))["boxes"])
        return boxes

    async def view(self, view_id: UUID) -> dict[str, Any] | None:
        """The box of a logged view, or {"error": code}; None when the opener refuses."""
        boxes = (await self._ask({"op": "views", "ids": [str(view_id)]}))["boxes"]
        found: dict[str, dict[str, Any]] = boxes.get(str(view_id), {})
        return next(iter(found.values()), None)

    async def check(self, request: dict[str, Any]) -> dict[str, Any]:
        """What may be known of boxes that a shop sealed: {"units": [...]} in their order, or
        {"refused": code} for all of them. Raises OpenerSilent.
        """
        return await self._ask({**request, "op": "check"})

    async def close(self) -> None:
        self._lose("the service stops")
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                writer = await self._connection()
                self._last_number += 1
                number = self._last_number
                answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
                self._waiting[number] = answer
                try:
                    writer.write(frame({**request, "number": number}))
                    await writer.drain()
                    found = await answer
                finally:
                    self._waiting.pop(number, None)
        except TimeoutError as error:
            raise OpenerSilent("the opener did not answer in time") from error
        except OSError as error:
            self._lose("connection lost")
            raise OpenerSilent("the opener cannot be reached; is it running?") from error
        if "error" in found:
            raise OpenerSilent(f"the opener refused: {found['error']}")
        return found

    async def _connection(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None or self._writer.is_closing():
                reader, self._writer = await asyncio.open_unix_connection(
                    str(self._socket), limit=READ_AHEAD_BYTES
                )
                self._reading = asyncio.create_task(self._read(reader, self._writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (answer := await read_frame(reader)) is not None:
                future = self._waiting.get(answer.get("number", 0))
                if future is not None and not future.done():
                    future.set_result(answer)
        except BadFrame:
            pass
        finally:
            # A connection that was replaced already must not take its successor along.
            if self._writer is writer:
                self._lose("the opener closed the connection")

    def _lose(self, reason: str) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError(reason))
