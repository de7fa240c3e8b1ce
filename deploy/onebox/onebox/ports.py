"""TCP ports on the loopback interface: free ones, taken ones, and who holds them."""

import contextlib
import secrets
import socket
from pathlib import Path

from onebox.errors import PortInUse
from onebox.processes import command_of

LOOPBACK = "127.0.0.1"
FREE_FROM, FREE_COUNT = 15_000, 15_000
LISTENING = "0A"  # the state column of /proc/net/tcp


def free_ports(count: int) -> list[int]:
    """Ports nobody uses now, all different.

    They lie below the range the kernel takes outgoing ports from: a server that is started again
    must not find that a client's connection sits on its port meanwhile.
    """
    chosen: set[int] = set()
    while len(chosen) < count:
        port = FREE_FROM + secrets.randbelow(FREE_COUNT)
        if is_free(port):
            chosen.add(port)
    return sorted(chosen)


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
