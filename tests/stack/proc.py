"""What a running process has in its memory and whom it talks to, read from /proc."""

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 22
LISTEN = "0A"


@dataclass(frozen=True, slots=True)
class Connection:
    """A socket of a process; `remote` is None where it listens or has none."""

    pid: int
    family: str
    local: tuple[str, int] | None
    remote: tuple[str, int] | None
    path: str | None
    listens: bool


def family_of(pid: int) -> list[int]:
    """The process and its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def sockets_of(pid: int) -> list[Connection]:
    """Of a process that may have ended, or that shows its files to root only: then none."""
    try:
        inodes = set(_socket_inodes(pid))
        return [c for inode, c in _table(pid) if inode in inodes]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def _socket_inodes(pid: int) -> Iterator[int]:
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(fd.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            yield int(target[8:-1])


def _table(pid: int) -> Iterator[tuple[int, Connection]]:
    for family in ("tcp", "tcp6", "udp", "udp6"):
        path = Path(f"/proc/{pid}/net/{family}")
        if not path.exists():
            continue
        for line in path.read_text().splitlines()[1:]:
            fields = line.split()
            remote = _address(fields[2])
            yield (
                int(fields[9]),
                Connection(
                    pid,
                    family,
                    _address(fields[1]),
                    None if remote[1] == 0 else remote,
                    None,
                    fields[3] == LISTEN,
                ),
            )
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        named = fields[7] if len(fields) > 7 else None
        # Flag 0x10000: the socket accepts connections.
        is_listening = bool(int(fields[3], 16) & 0x10000)
        yield int(fields[6]), Connection(pid, "unix", None, None, named, is_listening)


def _address(text: str) -> tuple[str, int]:
    digits, port = text.split(":")
    raw = bytes.fromhex(digits)
    if len(raw) == 4:
        return socket.inet_ntoa(raw[::-1]), int(port, 16)
    words = struct.unpack(">4I", raw)
    address = socket.inet_ntop(socket.AF_INET6, struct.pack("<4I", *words))
    return address.removeprefix("::ffff:"), int(port, 16)


def find_in_memory(
    pid: int, needles: Iterable[bytes], *, with_shared: bool = True
) -> dict[bytes, int]:
    """How often each needle is in the memory of a process: what a core image would hold. Without
    what it shares with others, which is read once through one of them.
    """
    wanted = list(needles)
    overlap = max(map(len, wanted)) - 1
    hits: dict[bytes, int] = {}
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in _mappings(pid, with_shared=with_shared):
            for data in _pieces(memory.fileno(), start, end, overlap):
                for needle in wanted:
                    count = data.count(needle)
                    if count:
                        hits[needle] = hits.get(needle, 0) + count
    return hits


def _mappings(pid: int, *, with_shared: bool) -> Iterator[tuple[int, int]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, *_ = line.split()
        if rights.endswith("s") and not with_shared:
            continue
        if rights.startswith("r") and "[vsyscall]" not in line and "[vvar]" not in line:
            start, end = (int(part, 16) for part in span.split("-"))
            yield start, end


def _pieces(memory: int, start: int, end: int, overlap: int) -> Iterator[bytes]:
    at = start
    while at < end:
        try:
            data = os.pread(memory, min(CHUNK_BYTES, end - at), at)
        except OSError:
            return  # a page that cannot be read: a device, or gone
        if not data:
            return
        yield data
        at += max(1, len(data) - overlap) if at + len(data) < end else len(data)
