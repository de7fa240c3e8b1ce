"""What is written into the audit log: facts with ids and figures, never a code or a contact."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound

Fact = str | int | bool | None | list["Fact"] | Mapping[str, "Fact"]
"""What JSON can say without floats: the same fact has the same bytes everywhere."""

LEAF_VERSION = 1
ORIGIN_BEGUN = "audit.origin_begun"
"""The action of the first entry that is signed under another name than those before it."""
AUDIT_LOG = UUID("a0d17000-0000-7000-8000-000000000000")
"""What an alarm about the log itself names as its object."""


@dataclass(frozen=True, slots=True)
class Note:
    """An entry on its way into the log, in the transaction of what it tells."""

    action: str
    merchant_id: UUID | None
    object_id: UUID
    actor: str
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as it lies in the database. The columns repeat what the leaf says; the leaf, in the
    very bytes that are stored, is what the log proves.
    """

    entry_id: UUID
    merchant_id: UUID | None
    object_id: UUID
    action: str
    leaf: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry with its place in the log."""

    seq: int
    entry_id: UUID
    object_id: UUID
    action: str
    leaf: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint as it was published. `vkey` is the key the log says it signs with: whoever
    verifies must know it from elsewhere.
    """

    size: int
    root: bytes
    note: str
    vkey: str
    at: datetime


@dataclass(frozen=True, slots=True)
class EntryProof:
    """That `entry` is in the log of `head`."""

    entry: Entry
    hashes: tuple[bytes, ...]
    head: SignedHead


@dataclass(frozen=True, slots=True)
class GrowthProof:
    """That the log of `new` begins with the log of `old`."""

    old: SignedHead
    new: SignedHead
    hashes: tuple[bytes, ...]


class EntryNotFound(NotFound):
    """There is no such entry in the log, or it is not yours."""

    code = "audit_entry_not_found"


class NotYetSequenced(Conflict):
    """The entry has no place in the log of this checkpoint yet: ask again after a second."""

    code = "not_yet_sequenced"


class CheckpointNotFound(NotFound):
    """No checkpoint of this size was signed. Take sizes from checkpoints, not from entries."""

    code = "audit_checkpoint_not_found"


class LogShrinks(Invalid):
    """A log only grows: `from` must not be greater than `to`."""

    code = "log_only_grows"


def units_digest(unit_ids: Iterable[UUID]) -> str:
    """Which units a sale had, in 64 hexadecimal digits: SHA-256 over their ids in order of value.
    An entry stays small however many units it tells of, and the sales rows can be held against it.
    """
    return hashlib.sha256(b"".join(sorted(unit_id.bytes for unit_id in unit_ids))).hexdigest()
