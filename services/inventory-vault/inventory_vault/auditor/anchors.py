"""Checkpoints that were kept outside of the database: what the log said before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from auditlog import BadNote, Checkpoint, VerifierKey, claimed_checkpoint, open_checkpoint
from inventory_vault.auditor.findings import Findings

FILE_BYTES_MAX = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Anchor:
    """A checkpoint and where it was kept."""

    checkpoint: Checkpoint
    note: str
    source: str


class TrustedKeys:
    """The public keys that may sign the log, whatever origin they sign for."""

    def __init__(self, keys: Sequence[VerifierKey]) -> None:
        self._keys = keys

    def open(self, note: str) -> Checkpoint:
        """Raises BadNote unless one of the keys signed the note in the name of its origin."""
        origin = claimed_checkpoint(note).origin
        return open_checkpoint(note, [key.named(origin) for key in self._keys])


def read_anchors(places: Sequence[Path], keys: TrustedKeys, findings: Findings) -> list[Anchor]:
    """Every checkpoint in these files, and in the files of these folders, by size.

    A file holds one signed note, or JSON lines with a "note" each: what the sequencer appends to,
    or an export of the topic. What cannot be read, or is not signed by the log, is a finding.
    """
    found: dict[str, Anchor] = {}
    for path in _files(places):
        for where, note in _notes(path):
            if note in found:
                continue
            try:
                found[note] = Anchor(keys.open(note), note, where)
            except BadNote as error:
                findings.add(where, f"no checkpoint of this log: {error}")
    findings.anchors = len(found)
    return sorted(found.values(), key=lambda anchor: anchor.checkpoint.size)


def _files(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(
                path
                for path in place.iterdir()
                if path.suffix in (".jsonl", ".note", ".txt") and path.is_file()
            )
        else:
            yield place


def _notes(path: Path) -> Iterator[tuple[str, str]]:
    content = path.read_bytes()
    if not content.startswith(b"{"):
        yield str(path), content.decode("utf-8", errors="replace")
        return
    for number, line in enumerate(content.splitlines(), 1):
        where = f"{path}:{number}"
        try:
            said = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield where, ""
            continue
        yield where, str(said.get("note")) if isinstance(said, dict) else ""
