"""Random bytes in small pieces: the system is asked once for many of them.

Each call of the system costs a few microseconds, and a request takes half a dozen random names.
"""

import os
import threading

_POOL_BYTES = 4_096

_lock = threading.Lock()
_pool = b""
_at = 0


def random_bytes(size: int) -> bytes:
    """`size` bytes from the system's generator, each given out once; 4,096 at most."""
    global _pool, _at
    with _lock:
        if _at + size > len(_pool):
            _pool, _at = os.urandom(_POOL_BYTES), 0
        _at += size
        return _pool[_at - size : _at]


def _forget() -> None:
    """A forked process would give out the bytes of its parent."""
    global _pool, _at, _lock
    _pool, _at, _lock = b"", 0, threading.Lock()


os.register_at_fork(after_in_child=_forget)
