"""Time-ordered identifiers (UUIDv7, RFC 9562): new rows land at the end of their index."""

import threading
import time
from uuid import UUID

from kit.randomness import random_bytes

LAST_ID = UUID(int=2**128 - 1)
"""Greater than every id: where a list that begins at the newest begins. Plans are generic here, so
"no id, or below this one" would find no place in an index.
"""
_RANDOM_BITS = 74
_RANDOM_MASK = (1 << _RANDOM_BITS) - 1
_STEP_MASK = (1 << 32) - 1

_lock = threading.Lock()
_last_ms = 0
_last_random = 0


def new_id() -> UUID:
    """A UUIDv7 greater than every one this process made before.

    Within a millisecond the 74 random bits go up by a random step (RFC 9562, 6.2, method 2), so
    ids stay unguessable and lists by id are in the order of making.
    """
    global _last_ms, _last_random
    entropy = int.from_bytes(random_bytes(10), "big")
    with _lock:
        unix_ms = max(time.time_ns() // 1_000_000, _last_ms)
        if unix_ms == _last_ms:
            random = _last_random + 1 + (entropy & _STEP_MASK)
            if random > _RANDOM_MASK:
                unix_ms, random = unix_ms + 1, entropy & _RANDOM_MASK
        else:
            # The top bit stays free, so that steps within the millisecond have room.
            random = entropy & (_RANDOM_MASK >> 1)
        _last_ms, _last_random = unix_ms, random
    value = (
        (unix_ms & ((1 << 48) - 1)) << 80
        | 0x7 << 76
        | (random >> 62) << 64
        | 0b10 << 62
        | (random & ((1 << 62) - 1))
    )
    return UUID(int=value)
