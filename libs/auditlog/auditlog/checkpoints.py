"""Checkpoints after C2SP tlog-checkpoint: a log's size and root, signed under the log's name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from auditlog.errors import BadNote
from auditlog.merkle import HASH_BYTES
from auditlog.notes import SignerKey, VerifierKey, decode, encode, open_note

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log `origin` had `size` entries with this root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{encode(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The text of a note, whose signature is another matter. Raises BadNote."""
        lines = text.split("\n")
        if len(lines) < 4 or not all(lines[:-1]):
            raise BadNote("a checkpoint has an origin, a size and a root, each on a line")
        root = decode(lines[2])
        if len(root) != HASH_BYTES:
            raise BadNote("a root has 32 bytes")
        return cls(lines[0], number(lines[1]), root)


def sign_checkpoint(checkpoint: Checkpoint, key: SignerKey) -> str:
    """The signed note. Raises ValueError when the key signs under another name."""
    if key.verifier.name != checkpoint.origin:
        raise ValueError("a checkpoint is signed under the name of its origin")
    return key.sign(checkpoint.text())


def open_checkpoint(note: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """The checkpoint, if one of the keys signed it under its own name. Raises BadNote."""
    text, signer = open_note(note, keys)
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin != signer.name:
        raise BadNote("the checkpoint of one log is signed under the name of another")
    return checkpoint


def claimed_checkpoint(note: str) -> Checkpoint:
    """What a note says, whoever signed it: for finding the right key. Raises BadNote."""
    text, _, _ = note.rpartition("\n\n")
    return Checkpoint.parse(text + "\n")


def number(text: str) -> int:
    """A decimal number without leading zeros. Raises BadNote."""
    if not _NUMBER.fullmatch(text):
        raise BadNote("a size or index is a decimal number without leading zeros")
    return int(text)
