"""Starts a packer and reads its answers; small texts are packed in a thread of this process."""

import asyncio
import marshal
import os
import signal
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from typing import Any

from cardfiles.records import UnreadableFile
from inventory_vault.packer.child import LENGTH
from inventory_vault.packer.job import Opened, PackedChunk, PackJob, Parcel
from inventory_vault.packer.packing import pack
from kit.errors import Unavailable

IN_THREAD_BYTES_MAX = 131_072
"""Up to here starting a process would take longer than the work."""

_ZIP = b"PK"
"""How spreadsheets and archives begin. A small one may unpack to anything, and where memory ends
the reader of spreadsheets ends its process: never this one.
"""

_PART_BYTES = 1_048_576
_STREAM_LIMIT = 1_048_576

Answer = Opened | PackedChunk


class PackerDied(Unavailable):
    """The packer's process ended in the middle of its work; resume the import."""

    code = "packer_died"


class PackerFailed(Exception):
    """A mistake of ours inside the packer; says its type and place, never what it stumbled over."""


def packed(job: PackJob, parcel: Parcel) -> AsyncGenerator[Answer, None]:
    """`Opened`, then each `PackedChunk`; while one is stored the next is made.

    Raises UnreadableFile, SecretTooLong, PackerDied, PackerFailed.
    """
    if len(parcel.data) <= IN_THREAD_BYTES_MAX and not parcel.data.startswith(_ZIP):
        return _in_thread(job, parcel.take())
    return _in_process(job, parcel)


async def _in_thread(job: PackJob, data: bytes) -> AsyncGenerator[Answer, None]:
    answers = pack(job, data)
    following = asyncio.create_task(asyncio.to_thread(_next, answers))
    try:
        while (answer := await following) is not None:
            following = asyncio.create_task(asyncio.to_thread(_next, answers))
            yield answer
    finally:
        # A thread cannot be stopped; its outcome is of no interest any more.
        with suppress(Exception):
            await following


def _next(answers: Iterator[Answer]) -> Answer | None:
    return next(answers, None)


async def _in_process(job: PackJob, parcel: Parcel) -> AsyncGenerator[Answer, None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "inventory_vault.packer.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_STREAM_LIMIT,
        env=_environment(),
    )
    try:
        async with aclosing(_answers(process, job, parcel)) as answers:
            async for answer in answers:
                yield answer
    finally:
        await _end(process)


async def _answers(
    process: asyncio.subprocess.Process, job: PackJob, parcel: Parcel
) -> AsyncGenerator[Answer, None]:
    assert process.stdout is not None
    try:
        await _send(process, job, parcel)
        while (message := await _receive(process.stdout)) != ("end",):
            yield _answer(message)
    except (asyncio.IncompleteReadError, ConnectionError):
        if await process.wait() == -signal.SIGABRT:
            raise UnreadableFile(
                "the file takes too much memory to be read; save what is needed of it as .csv"
            ) from None
        raise PackerDied from None


async def _send(process: asyncio.subprocess.Process, job: PackJob, parcel: Parcel) -> None:
    stdin = process.stdin
    assert stdin is not None
    message, data = marshal.dumps(job.to_message()), memoryview(parcel.take())
    stdin.write(LENGTH.pack(len(message)) + message + LENGTH.pack(len(data)))
    # In parts: the transport copies what the pipe does not take at once.
    for start in range(0, len(data), _PART_BYTES):
        stdin.write(data[start : start + _PART_BYTES])
        await stdin.drain()
    stdin.close()


async def _receive(stdout: asyncio.StreamReader) -> Any:
    (size,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
    return marshal.loads(await stdout.readexactly(size))  # noqa: S302 - our child's own pipe


def _answer(message: tuple[Any, ...]) -> Answer:
    kind, *rest = message
    if kind == "opened":
        return Opened(*rest[0])
    if kind == "chunk":
        return PackedChunk(*rest[0])
    if kind == "unreadable":
        raise UnreadableFile(rest[0])
    raise PackerFailed(": ".join(rest))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Its memory holds codes: it does not outlive its work."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _environment() -> dict[str, str]:
    """Where to find our code, and no secret: it needs none and talks to nobody."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
