"""Keeps what is in memory from leaving it by other ways than the program's own."""

import contextlib
import ctypes
import resource

_PR_SET_DUMPABLE = 4


def close_to_debuggers() -> None:
    """No core file, no ptrace, no /proc/<pid>/mem for the same user: no key leaves that way."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
