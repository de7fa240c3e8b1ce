"""What travels over the opener's unix socket: length-prefixed JSON, answers matched by number.

To have a unit opened, a caller names rows of the hand-out log or the view log, never a key and
never a box: what may be opened, and for whom it is sealed again, the opener reads from the database
itself. `check` alone takes boxes, and answers only what the row of a unit says of its code anyway.
"""

import asyncio
import struct
from typing import Any

import orjson

FRAME_BYTES_MAX = 134_217_728
"""100,000 units re-sealed are about 80 MB."""

IDS_MAX = 1_000
"""Log rows named by one request."""

CHECKED_UNITS_MAX = 1_000
"""Boxes looked into by one request."""

_LENGTH = struct.Struct(">I")


class BadFrame(Exception):
    """The other side does not speak this protocol."""


async def read_frame(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message; None when the other side is gone."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > FRAME_BYTES_MAX:
            raise BadFrame(f"a frame of {length} bytes")
        message = orjson.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except orjson.JSONDecodeError:
        raise BadFrame("not JSON") from None
    if not isinstance(message, dict):
        raise BadFrame("not an object")
    return message


def frame(message: dict[str, Any]) -> bytes:
    body = orjson.dumps(message)
    if len(body) > FRAME_BYTES_MAX:
        raise BadFrame(f"a frame of {len(body)} bytes")
    return _LENGTH.pack(len(body)) + body
