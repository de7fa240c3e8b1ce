"""What the sequencer knows by itself, in files of its own: somebody with every right in the
database can change the log, but not what was signed before.

state.json         origin, the last checkpoint, and the one that is being made
checkpoints.jsonl  every checkpoint, a line each, appended only
lock               held while a round runs
"""

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from auditlog import SEED_BYTES, SignerKey
from kit.logging import get_logger

log = get_logger(__name__)

CHECKPOINTS_FILE = "checkpoints.jsonl"
_TAIL_BYTES = 200_000


class FolderTrouble(Exception):
    """The sequencer cannot work with its files; the text says what an operator has to do."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OwnHead(_Stored):
    """A checkpoint. `note` is None where nothing was signed: the empty log, a restored one."""

    size: int
    root: str
    note: str | None


class Intent(_Stored):
    """A checkpoint that is signed and not known to be in the database yet. It is made again from
    these very entries, in this order, or not at all: so no size is ever signed twice.
    """

    head: OwnHead
    entry_ids: list[str]


class Beginning(_Stored):
    """The first entry of an origin that takes the place of another."""

    entry_id: str
    leaf: str


class OwnState(_Stored):
    origin: str
    vkey: str
    confirmed: OwnHead
    intent: Intent | None = None
    beginning: Beginning | None = None


class AuditFolder:
    """The files; every write is on the disk when it returns."""

    def __init__(self, path: Path, key_file: Path) -> None:
        self.path = path
        self._key_file = key_file

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """True for the one that holds the folder; False at once for any other."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def read(self) -> OwnState | None:
        """None before the first start. Raises FolderTrouble."""
        try:
            return OwnState.model_validate_json((self.path / "state.json").read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise FolderTrouble(f"{self.path / 'state.json'} cannot be read") from error

    def write(self, state: OwnState) -> None:
        """Wholly or not at all, whenever the machine stops."""
        making = self.path / "state.making"
        with _private(making, os.O_WRONLY | os.O_TRUNC) as file:
            file.write(state.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        making.replace(self.path / "state.json")
        _sync_folder(self.path)

    def publish(self, head: OwnHead) -> None:
        """Appends a checkpoint unless it is the last one there; drops a line cut off by a crash."""
        line = orjson.dumps(head.model_dump()) + b"\n"
        path = self.path / CHECKPOINTS_FILE
        is_new = not path.exists()
        with _private(path, os.O_RDWR) as file:
            start = max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES)
            file.seek(start)
            tail = file.read()
            whole = tail[: tail.rfind(b"\n") + 1]
            file.truncate(file.seek(start + len(whole)))
            if not whole.endswith(line):
                file.write(line)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            _sync_folder(self.path)

    def make_key(self) -> None:
        """Makes the log's key unless there is one."""
        if not self._key_file.exists():
            _make_seed(self._key_file)

    def signer(self, origin: str) -> SignerKey:
        """The log's key. Raises FolderTrouble."""
        return SignerKey(origin, _read_seed(self._key_file))


def _read_seed(path: Path) -> bytes:
    """32 bytes, as 64 hexadecimal digits in a file that only its owner reads."""
    if not path.exists():
        raise FolderTrouble(f"{path}, the key that signs the audit log, is missing: put it back")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and os.access(path, os.W_OK):
        # Secrets mounted read-only by a container engine have modes of their own.
        path.chmod(0o600)
    try:
        seed = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (ValueError, UnicodeDecodeError):
        seed = b""
    if len(seed) != SEED_BYTES:
        raise FolderTrouble(f"{path} must hold 64 hexadecimal digits (openssl rand -hex 32)")
    return seed


def _make_seed(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f"{path.name}.{os.getpid()}.making")
    with _private(making, os.O_WRONLY | os.O_TRUNC) as file:
        file.write(secrets.token_bytes(SEED_BYTES).hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link and not a rename: a key that somebody else made meanwhile stays.
        os.link(making, path)
    except FileExistsError:
        return
    finally:
        making.unlink()
    _sync_folder(path.parent)
    log.warning("audit_key_made", path=str(path), advice="back it up apart from the database")


def _private(path: Path, flags: int) -> BinaryIO:
    """A file for its owner only, made when there is none."""
    descriptor = os.open(path, flags | os.O_CREAT, 0o600)
    return os.fdopen(descriptor, "r+b" if flags & os.O_RDWR else "wb")


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
