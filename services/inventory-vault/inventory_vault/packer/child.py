"""The packer's process: a job on standard input, chunks on standard output, nothing else."""

import ctypes
import gc
import marshal
import resource
import signal
import struct
import sys
import traceback
from dataclasses import fields
from pathlib import PurePath
from typing import Any, BinaryIO

from cardfiles.records import UnreadableFile
from inventory_vault.opener.hygiene import close_to_debuggers
from inventory_vault.packer.job import Opened, PackedChunk, PackJob
from inventory_vault.packer.packing import pack

ADDRESS_SPACE_BYTES_MAX = 4_294_967_296
"""Several times what the largest file takes; a sheet with a cell far away would take any amount."""

LENGTH = struct.Struct(">Q")
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ends with its parent. Leaves no core image: codes in clear would be in it."""
    close_to_debuggers()
    _end_with_parent()
    _limit_memory()
    # Nothing here makes cycles; the collector would walk a million records over and over.
    gc.disable()
    into, out = sys.stdin.buffer, sys.stdout.buffer
    message = marshal.loads(_read(into))  # noqa: S302 - from the parent, over a pipe of its own
    job, data = PackJob.from_message(message), _read(into)
    try:
        for answer in pack(job, data):
            kind = "opened" if isinstance(answer, Opened) else "chunk"
            _write(out, (kind, _values(answer)))
    except UnreadableFile as error:
        _write(out, ("unreadable", str(error)))
    except BrokenPipeError:
        return
    except Exception as error:
        # Type and place only: a message could quote what it stumbled over.
        _write(out, ("failed", type(error).__name__, _place_of(error)))
    else:
        _write(out, ("end",))


def _read(stream: BinaryIO) -> bytes:
    (size,) = LENGTH.unpack(stream.read(LENGTH.size))
    return stream.read(size)


def _values(answer: Opened | PackedChunk) -> tuple[Any, ...]:
    """As they are: `astuple` would walk into each row."""
    return tuple(getattr(answer, field.name) for field in fields(answer))


def _write(stream: BinaryIO, message: tuple[Any, ...]) -> None:
    body = marshal.dumps(message)
    stream.write(LENGTH.pack(len(body)))
    stream.write(body)
    stream.flush()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = ADDRESS_SPACE_BYTES_MAX
    resource.setrlimit(
        resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
    )


def _place_of(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(frame.filename).name}:{frame.lineno}"


if __name__ == "__main__":
    main()
