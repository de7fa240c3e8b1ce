"""TCP ports on the loopback interface: free ones, taken ones, and who holds them."""

import contextlib
import fcntl
import os
import secrets
import socket
import tempfile
from functools import cache
from pathlib import Path

from onebox.errors import PortInUse
from onebox.processes import command_of

LOOPBACK = "127.0.0.1"
FREE_FROM, FREE_COUNT = 15_000, 15_000
LISTENING = "0A"  # the state column of /proc/net/tcp
_GIVEN = set[int]()


def free_ports(count: int) -> list[int]:
    """Ports nobody uses now, all different, and given to nobody else while this process lives.

    They lie below the range the kernel takes outgoing ports from: a server that is started again
    must not find that a client's connection sits on its port meanwhile.
    """
    chosen: set[int] = set()
    while len(chosen) < count:
        port = FREE_FROM + secrets.randbelow(FREE_COUNT)
        if port not in _GIVEN and claim(port) and is_free(port):
            _GIVEN.add(port)
            chosen.add(port)
    return sorted(chosen)


def claim(port: int) -> bool:
    """False when another process claimed the port and may listen on it any moment. A record lock
    ends with its process, and is none for a process that this one forks.
    """
    try:
        fcntl.lockf(_notebook(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _notebook() -> int:
    """The file whose bytes stand for ports: one for each account, nothing is ever written."""
    path = Path(tempfile.gettempdir()) / f"lockstock-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def is_free(port: int) -> bool:
    """Whether a server could listen here (a port in TIME_WAIT counts as free)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def answers(port: int) -> bool:
    """Whether something accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def require_free(port: int, purpose: str, variable: str) -> None:
    """Raises `PortInUse` naming the port, its holder and the variable to change."""
    if is_free(port):
        return
    pid = holder(port)
    who = "another program"
    if pid is not None:
        command = " ".join(command_of(pid))[:60] or "unknown"
        who = f"process {pid} ({command})"
    raise PortInUse(
        f"Port {port} ({purpose}) is in use by {who}; end it or set {variable} to a free port."
    )


def holder(port: int) -> int | None:
    """The process that listens on the port, when we may know it."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(_target(link) in wanted for link in (entry / "fd").iterdir()):
                return int(entry.name)
    return None


def _target(link: Path) -> str:
    with contextlib.suppress(OSError):
        return str(link.readlink())
    return ""


def _listening_inodes(port: int) -> set[str]:
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes
