"""Keeps what is in memory from leaving it by other ways than the program's own."""

import contextlib
import ctypes
import resource
from pathlib import Path

_PR_SET_DUMPABLE = 4
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_CAP_IPC_LOCK = 1 << 14


def leave_no_core_file() -> None:
    """A crash writes no memory to a disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def close_to_debuggers() -> None:
    """No core file, no ptrace, no /proc/<pid>/mem for the same user: no key leaves that way."""
    leave_no_core_file()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def stay_out_of_swap() -> bool:
    """Locks all memory, now and later, where the system allows any amount; whether it did.

    Under a limit it is left alone: a locked process that reaches it could allocate no more.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and not _may_lock():
        return False
    flags = _MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT
    try:
        return bool(ctypes.CDLL(None).mlockall(flags) == 0)
    except (OSError, AttributeError):
        return False


def _may_lock() -> bool:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    found = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")]
    return bool(found and int(found[0], 16) & _CAP_IPC_LOCK)
