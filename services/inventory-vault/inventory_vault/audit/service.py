from collections.abc import Callable
from uuid import UUID

import orjson

from auditlog import (
    NodeAt,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    nodes_of,
    reader,
    tiles_of,
)
from inventory_vault.audit import repository
from inventory_vault.audit.domain import (
    LEAF_VERSION,
    CheckpointNotFound,
    Entry,
    EntryNotFound,
    EntryProof,
    Fact,
    GrowthProof,
    LogShrinks,
    Note,
    NotYetSequenced,
    SignedHead,
    StoredEntry,
)
from kit.clock import SystemClock
from kit.db import Transaction
from kit.ids import new_id
from kit.randomness import random_bytes

SYSTEM = "system"
"""The actor of what the service does by itself: timers, rotation, events it consumes."""
SALT_BYTES = 16

_clock = SystemClock()


def note(
    tx: Transaction,
    action: str,
    object_id: UUID,
    *,
    merchant_id: UUID | None,
    actor: str,
    **facts: Fact,
) -> None:
    """Writes an entry into the audit log if and when `tx` commits.

    `action` is a noun and a past participle ("reservation.sold"), `object_id` what it happened to,
    `actor` who did it ("key:<id>", "service:order", SYSTEM). Facts are ids, figures and reasons:
    never a code, a key, a token or a buyer's contact.
    """
    tx.records.append(Note(action, merchant_id, object_id, actor, facts))


async def flush(tx: Transaction) -> None:
    """Writes the notes of a transaction into the queue, just before the commit."""
    if not tx.records:
        return
    at = _clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z")
    repository.add_pending(tx, [entry_of(each, at) for each in tx.records])
    tx.records.clear()


def entry_of(told: Note, at: str) -> StoredEntry:
    """The entry with the bytes that the log will prove: sorted keys, no spaces, UTF-8.

    The salt keeps a leaf's hash, which every reader of the tree sees, from being guessed.
    """
    entry_id = new_id()
    leaf = orjson.dumps(
        {
            "v": LEAF_VERSION,
            "entry_id": str(entry_id),
            "at": at,
            "action": told.action,
            "actor": told.actor,
            "merchant_id": None if told.merchant_id is None else str(told.merchant_id),
            "object_id": str(told.object_id),
            "facts": told.facts,
            "salt": random_bytes(SALT_BYTES).hex(),
        },
        option=orjson.OPT_SORT_KEYS,
    )
    return StoredEntry(
        entry_id, told.merchant_id, told.object_id, told.action, leaf, leaf_hash(leaf)
    )


def fault_of(entry: StoredEntry) -> str | None:
    """What is wrong with a stored entry by itself; None when its parts agree."""
    if leaf_hash(entry.leaf) != entry.leaf_hash:
        return "the leaf does not have the stored hash"
    try:
        said = orjson.loads(entry.leaf)
    except orjson.JSONDecodeError:
        return "the leaf is not JSON"
    if not isinstance(said, dict) or orjson.dumps(said, option=orjson.OPT_SORT_KEYS) != entry.leaf:
        return "the leaf is not canonical JSON"
    merchant = entry.merchant_id
    columns = {
        "v": LEAF_VERSION,
        "entry_id": str(entry.entry_id),
        "merchant_id": None if merchant is None else str(merchant),
        "object_id": str(entry.object_id),
        "action": entry.action,
    }
    for name, value in columns.items():
        if said.get(name) != value:
            return f"the column {name} is not what the leaf says"
    return None


class AuditService:
    """The log as its readers see it: entries, checkpoints, proofs."""

    async def list_entries(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        object_id: UUID | None,
        action: str | None,
        after: int | None,
        limit: int,
    ) -> list[Entry]:
        """The merchant's own, in the order of the log."""
        return await repository.list_entries(
            tx, merchant_id, object_id=object_id, action=action, after=after, limit=limit
        )

    async def longest_wait_seconds(self, tx: Transaction) -> float:
        """How long the first entry has waited for its place; 0 when none waits."""
        return await repository.longest_wait_seconds(tx)

    async def head(self, tx: Transaction, size: int | None = None) -> SignedHead:
        """The newest checkpoint, or that of a size. Raises CheckpointNotFound."""
        if size is None:
            found = await repository.newest_head(tx)
        else:
            found = await repository.find_head(tx, size)
        if found is None:
            raise CheckpointNotFound
        return found

    async def prove_entry(
        self, tx: Transaction, merchant_id: UUID, entry_id: UUID, size: int | None = None
    ) -> EntryProof:
        """That an entry is in the log of the newest checkpoint, or of that of a size.

        Raises EntryNotFound, NotYetSequenced, CheckpointNotFound.
        """
        # First the queue: an entry that is moved between the two looks is then seen by the second.
        waits = await repository.is_pending(tx, merchant_id, entry_id)
        entry = await repository.find_entry(tx, merchant_id, entry_id)
        if entry is None:
            raise NotYetSequenced if waits else EntryNotFound
        head = await self.head(tx, size)
        if entry.seq >= head.size:
            raise NotYetSequenced
        hashes = await _proof(tx, lambda at: inclusion_proof(entry.seq, head.size, at))
        return EntryProof(entry, tuple(hashes), head)

    async def prove_growth(self, tx: Transaction, old: int, new: int | None) -> GrowthProof:
        """That the log at checkpoint `new` (the newest) begins with the log at checkpoint `old`.

        Raises CheckpointNotFound, LogShrinks.
        """
        later = await self.head(tx, new)
        if old > later.size:
            raise LogShrinks
        earlier = await self.head(tx, old)
        hashes = await _proof(tx, lambda at: consistency_proof(old, later.size, at))
        return GrowthProof(earlier, later, tuple(hashes))


async def _proof(tx: Transaction, build: Callable[[NodeAt], list[bytes]]) -> list[bytes]:
    """Reads the few tiles that `build` needs. Tiles only grow, so newer ones do as well."""
    tiles = await repository.tiles(tx, tiles_of(nodes_of(build)))
    return build(reader(tiles))
