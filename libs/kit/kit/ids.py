"""Time-ordered identifiers (UUIDv7, RFC 9562): new rows land at the end of their index."""

import os
import time
from uuid import UUID

_RANDOM_BITS = 74
_RANDOM_MASK = (1 << _RANDOM_BITS) - 1


def new_id() -> UUID:
    """A UUIDv7 of this millisecond. 74 random bits: no coordination, no guessing."""
    unix_ms = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big") & _RANDOM_MASK
    value = (
        (unix_ms & ((1 << 48) - 1)) << 80
        | 0x7 << 76
        | (random >> 62) << 64
        | 0b10 << 62
        | (random & ((1 << 62) - 1))
    )
    return UUID(int=value)
