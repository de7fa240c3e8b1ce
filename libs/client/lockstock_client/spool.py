"""Sealed boxes on their way: a folder per upload, from which it goes on after a crash.

A spool holds boxes, which open with the vault's private key only, ids, and line numbers with
reasons. No code, no key and no hash of the file is ever written: whoever finds a spool learns how
many units somebody has sealed. It is for its owner only nevertheless, and gone when its upload is.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self
from uuid import UUID

from lockstock_client.problems import LockstockError
from lockstock_client.wire import ImportLineJson

STATE = "state.json"
REFUSED = "refused.jsonl"
FOLDER_MODE = 0o700
FILE_MODE = 0o600


class NothingToResume(LockstockError):
    """There is no sealed upload of this id on this machine; import the file anew."""


@dataclass(slots=True)
class SpoolState:
    """What an upload needs besides its boxes. `opening`: the body of the call that opens it."""

    pool_id: str
    opening: dict[str, Any]
    public_key: str
    key: str
    import_id: str | None = None
    parts: int = 0
    units: int = 0
    lines_read: int = 0
    rejected: int = 0
    duplicates: int = 0
    is_sealed: bool = False
    """False until the last box is in the spool: an upload of half a file must not be resumed."""


@dataclass(slots=True)
class Spool:
    """One upload's folder."""

    folder: Path
    state: SpoolState = field(repr=False)

    @classmethod
    def make(cls, root: Path, state: SpoolState) -> Self:
        """A fresh spool named by its lot."""
        root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        folder = root / str(state.opening["lot_id"])
        folder.mkdir(mode=FOLDER_MODE)
        return cls(folder, state)

    @classmethod
    def find(cls, root: Path, wanted: str) -> Self:
        """The spool of this import or lot. Raises NothingToResume."""
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            try:
                state = SpoolState(**json.loads((folder / STATE).read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                continue  # killed while it was sealed: nothing was sent of it
            if state.is_sealed and _same(wanted, folder.name, state.import_id):
                return cls(folder, state)
        raise NothingToResume(
            f"There is no sealed upload {wanted} in {root}; import the file anew."
        )

    @property
    def id(self) -> str:
        """By this it is resumed."""
        return self.folder.name

    def add_part(self, units: list[str]) -> None:
        """The next part, as it will be sent. `units`: a JSON object each."""
        number = self.state.parts + 1
        head = f'{{"part":{number},"public_key":"{self.state.public_key}","units":['
        self._write(_part_name(number), (head + ",".join(units) + "]}").encode())
        self.state.parts = number
        self.state.units += len(units)

    def part(self, number: int) -> bytes:
        """The body of a part."""
        return (self.folder / _part_name(number)).read_bytes()

    def add_refused(self, lines: list[ImportLineJson]) -> None:
        """Lines that were refused on this machine."""
        if lines:
            with _open_for_owner(self.folder / REFUSED, os.O_APPEND) as file:
                file.writelines(json.dumps(line).encode() + b"\n" for line in lines)

    def refused(self, limit: int) -> Iterator[ImportLineJson]:
        """The first of them."""
        try:
            with (self.folder / REFUSED).open("rb") as file:
                for _, line in zip(range(limit), file, strict=False):
                    yield json.loads(line)
        except FileNotFoundError:
            return

    def save(self) -> None:
        """The state, whole or not at all."""
        self._write(STATE, json.dumps(asdict(self.state)).encode())

    def drop(self) -> None:
        """Forgets the upload."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, name: str, content: bytes) -> None:
        fresh = self.folder / f"{name}.new"
        with _open_for_owner(fresh, os.O_TRUNC) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / name)


def _part_name(number: int) -> str:
    return f"part-{number:05}.json"


def _same(wanted: str, *ids: str | None) -> bool:
    try:
        return str(UUID(wanted)) in ids
    except ValueError:
        return False


def _open_for_owner(path: Path, how: int) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, FILE_MODE), "wb")
