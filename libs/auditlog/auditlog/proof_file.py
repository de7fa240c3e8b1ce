"""Proof files after C2SP tlog-proof: one entry, its place, the way to the root, the checkpoint.

The entry itself travels in the `extra` line, which the format leaves to its users: without it a
proof only shows that something with a certain hash is in the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from auditlog.checkpoints import Checkpoint, number, open_checkpoint
from auditlog.errors import BadNote, BadProof
from auditlog.merkle import check_inclusion, leaf_hash
from auditlog.notes import VerifierKey, decode, encode

FIRST_LINE = "c2sp.org/tlog-proof@v1"
FILE_SUFFIX = ".tlog-proof"
FILE_BYTES_MAX = 4_000_000


@dataclass(frozen=True, slots=True)
class ProofFile:
    """`note` is a signed checkpoint; `leaf` the entry's bytes, None when they are kept apart."""

    index: int
    hashes: tuple[bytes, ...]
    note: str
    leaf: bytes | None = None

    def text(self) -> str:
        """The file's content."""
        lines = [FIRST_LINE]
        if self.leaf is not None:
            lines.append(f"extra {encode(self.leaf)}")
        lines += [f"index {self.index}", *map(encode, self.hashes), "", self.note]
        return "\n".join(lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadProof for anything that is not such a file."""
        head, gap, note = text.partition("\n\n")
        lines = head.split("\n")
        if len(text) > FILE_BYTES_MAX or not gap or lines.pop(0) != FIRST_LINE:
            raise BadProof(f"a proof file begins with {FIRST_LINE}")
        try:
            leaf = None
            if lines and lines[0].startswith("extra "):
                leaf = decode(lines.pop(0).removeprefix("extra "))
            if not lines or not lines[0].startswith("index "):
                raise BadProof("a proof file names the index of its entry")
            index = number(lines.pop(0).removeprefix("index "))
            return cls(index, tuple(decode(line) for line in lines), note, leaf)
        except BadNote as error:
            raise BadProof(f"the proof file cannot be read: {error}") from error

    def check(self, keys: Sequence[VerifierKey], leaf: bytes | None = None) -> Checkpoint:
        """The checkpoint that holds the entry. `leaf` overrules the one in the file.

        Raises BadNote for a checkpoint that none of the keys signed, BadProof when the entry is not
        in the log at this place.
        """
        content = self.leaf if leaf is None else leaf
        if content is None:
            raise BadProof("the file does not hold the entry; it must be given beside")
        checkpoint = open_checkpoint(self.note, keys)
        check_inclusion(
            leaf_hash(content), self.index, checkpoint.size, self.hashes, checkpoint.root
        )
        return checkpoint
