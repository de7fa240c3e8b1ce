"""One round of the sequencer: entries get places, the tree grows, a checkpoint is signed.

What is signed is decided in the file before it is committed in the database. A crash between the
two is made good by the next round, which makes the same checkpoint of the same entries again; so
two checkpoints of one size with different roots never come to be, whenever the process dies.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from prometheus_client import Counter

from auditlog import (
    EMPTY_ROOT,
    BadTiles,
    Checkpoint,
    Place,
    SignerKey,
    edge_of,
    grow,
    leaf_hash,
    reader,
    root_at,
    sign_checkpoint,
)
from inventory_vault.alarms.service import raise_alarm
from inventory_vault.audit.domain import AUDIT_LOG, StoredEntry
from inventory_vault.audit.events import audit_checkpoint
from inventory_vault.audit.service import fault_of
from inventory_vault.sequencer import repository
from inventory_vault.sequencer.folder import (
    AuditFolder,
    Beginning,
    FolderTrouble,
    Intent,
    OwnHead,
    OwnState,
)
from inventory_vault.sequencer.repository import Extent
from kit.db import Database, Transaction
from kit.logging import get_logger
from kit.messaging import outbox

log = get_logger(__name__)

BATCH_MAX = 5_000
ALARMS_PER_ROUND_MAX = 20
REPEAT_ALARM_SECONDS = 60.0

SEQUENCED = Counter("inventory_vault_audit_entries_total", "Entries that got their place")


class LogTampered(Exception):
    """The log in the database is not the one that was signed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch does to the log."""

    head: OwnHead
    hashes: list[bytes]
    tiles: Mapping[Place, bytes]
    faults: list[tuple[int, StoredEntry, str]]
    """(seq, entry, what is wrong with it)"""


class Sequencer:
    """Run by every worker; the folder's lock and the database's let one work at a time."""

    def __init__(self, db: Database, folder: AuditFolder, *, batch_max: int = BATCH_MAX) -> None:
        self._db = db
        self._folder = folder
        self._batch_max = batch_max
        self._has_published = False
        self._refused: tuple[str, float] | None = None

    async def run(self) -> bool:
        """One round; True when more may wait. When the log is not as it was signed, nothing is
        signed and an alarm is raised; entries go on to be written into the queue.
        """
        with self._folder.locked() as is_ours:
            if not is_ours:
                return False
            try:
                return await self._round()
            except (LogTampered, BadTiles) as trouble:
                await self._refuse("audit_tampered", str(trouble))
            except FolderTrouble as trouble:
                await self._refuse("audit_unsigned", str(trouble))
        return False

    def passed(self, point: str) -> None:
        """Called between the steps of a round: a test dies here."""

    async def _round(self) -> bool:
        async with self._db.transaction() as tx:
            if not await repository.try_lock(tx):
                return False
            found = await repository.extent(tx)
            state = await self._own_state(found)
            signer = self._signer(state)
            state, tiles = await self._settled(tx, state, found)
            batch = await self._next_batch(tx, state)
            if not batch:
                return False
            plan = await asyncio.to_thread(plan_batch, state, signer, tiles, batch)
            intent = Intent(head=plan.head, entry_ids=[str(entry.entry_id) for entry in batch])
            if state.intent is not None and state.intent != intent:
                raise LogTampered("entries that were about to be signed are gone or changed")
            self.passed("planned")
            await asyncio.to_thread(self._folder.write, state.model_copy(update={"intent": intent}))
            self.passed("intent written")
            await self._store(tx, state, batch, plan)
            self.passed("stored")
        self.passed("committed")
        await self._confirm(state, plan.head)
        SEQUENCED.inc(len(batch))
        return len(batch) == self._batch_max

    async def _own_state(self, found: Extent) -> OwnState:
        """Begins a log of its own where there is none. Raises LogTampered, FolderTrouble."""
        state = self._folder.read()
        if state is None:
            if found.size or found.signed_size is not None:
                raise LogTampered(
                    f"the database holds a log of {found.size} entries, but {self._folder.path} "
                    "does not know it: put the folder back, or begin a new origin"
                )
            state = begin(self._folder, OwnHead(size=0, root=EMPTY_ROOT.hex(), note=None))
            await asyncio.to_thread(self._folder.write, state)
        if not self._has_published and state.confirmed.note is not None:
            # A crash may have come between the state and the list of checkpoints.
            await asyncio.to_thread(self._folder.publish, state.confirmed)
        self._has_published = True
        return state

    def _signer(self, state: OwnState) -> SignerKey:
        signer = self._folder.signer(state.origin)
        if str(signer.verifier) != state.vkey:
            raise FolderTrouble(
                f"the key is not the one {state.origin} was begun with: put that one back"
            )
        return signer

    async def _settled(
        self, tx: Transaction, state: OwnState, found: Extent
    ) -> tuple[OwnState, Mapping[Place, bytes]]:
        """The state once the database was held against it, and the tiles at the log's edge. An
        intent that the database has is confirmed. Raises LogTampered.
        """
        own, intent = state.confirmed, state.intent
        if found.size < own.size:
            raise LogTampered(f"{own.size} entries were signed, the database holds {found.size}")
        tiles = await repository.tiles(tx, edge_of(own.size) | edge_of(found.size))
        require_root(own, tiles)
        if found.size == own.size:
            require_checkpoint(own, found)
            return state, tiles
        if intent is None or intent.head.size != found.size:
            raise LogTampered(f"the log has {found.size} entries, but {own.size} were sequenced")
        require_root(intent.head, tiles)
        require_checkpoint(intent.head, found)
        return await self._confirm(state, intent.head), tiles

    async def _next_batch(self, tx: Transaction, state: OwnState) -> list[StoredEntry]:
        if state.beginning is not None:
            return [first_entry(state.beginning)]
        if state.intent is not None:
            ids = [UUID(entry_id) for entry_id in state.intent.entry_ids]
            return await repository.take_these(tx, ids) or _gone()
        return await repository.take(tx, self._batch_max)

    async def _store(
        self, tx: Transaction, state: OwnState, batch: Sequence[StoredEntry], plan: Plan
    ) -> None:
        head, note = plan.head, plan.head.note or ""
        await repository.add_entries(tx, state.confirmed.size, batch, plan.hashes)
        await repository.put_tiles(tx, plan.tiles)
        root = bytes.fromhex(head.root)
        await repository.add_checkpoint(tx, head.size, root, note, state.vkey)
        checkpoint = Checkpoint(state.origin, head.size, root)
        outbox.add(tx, audit_checkpoint(checkpoint, note, state.vkey), key=state.origin)
        for seq, entry, fault in plan.faults[:ALARMS_PER_ROUND_MAX]:
            # The entry keeps its place, as it was found: this says in the log that it is doubted.
            await raise_alarm(
                tx,
                "audit_tampered",
                entry.entry_id,
                merchant_id=entry.merchant_id,
                reason=fault,
                seq=seq,
                stored_hash=entry.leaf_hash.hex(),
                doubted_in_round=len(plan.faults),
            )

    async def _confirm(self, state: OwnState, head: OwnHead) -> OwnState:
        state = state.model_copy(update={"confirmed": head, "intent": None, "beginning": None})
        await asyncio.to_thread(self._folder.write, state)
        self.passed("confirmed")
        await asyncio.to_thread(self._folder.publish, head)
        self.passed("published")
        self._refused = None
        return state

    async def _refuse(self, kind: str, reason: str) -> None:
        """Says so at once, and again every minute while it stays."""
        now = time.monotonic()
        said, said_at = self._refused or ("", 0.0)
        if said == reason and now - said_at < REPEAT_ALARM_SECONDS:
            return
        self._refused = (reason, now)
        async with self._db.transaction() as tx:
            await raise_alarm(tx, kind, AUDIT_LOG, merchant_id=None, reason=reason)


def begin(folder: AuditFolder, head: OwnHead) -> OwnState:
    """A new origin, not written yet, that goes on from `head`."""
    folder.make_key()
    origin = f"lockstock/{secrets.token_hex(4)}"
    return OwnState(origin=origin, vkey=str(folder.signer(origin).verifier), confirmed=head)


def plan_batch(
    state: OwnState, signer: SignerKey, tiles: Mapping[Place, bytes], batch: Sequence[StoredEntry]
) -> Plan:
    """Everything that is computed: hashes from the stored bytes, the tree, the signature."""
    first = state.confirmed.size
    hashes = [leaf_hash(entry.leaf) for entry in batch]
    faults = [
        (seq, entry, fault)
        for seq, entry in enumerate(batch, first)
        if (fault := fault_of(entry)) is not None
    ]
    changed = grow(tiles, first, hashes)
    size = first + len(batch)
    root = root_at(size, reader({**tiles, **changed}))
    note = sign_checkpoint(Checkpoint(state.origin, size, root), signer)
    return Plan(OwnHead(size=size, root=root.hex(), note=note), hashes, changed, faults)


def first_entry(beginning: Beginning) -> StoredEntry:
    leaf = beginning.leaf.encode()
    said = orjson.loads(leaf)
    return StoredEntry(
        UUID(beginning.entry_id),
        None,
        UUID(said["object_id"]),
        said["action"],
        leaf,
        leaf_hash(leaf),
    )


def require_root(own: OwnHead, tiles: Mapping[Place, bytes]) -> None:
    if root_at(own.size, reader(tiles)).hex() != own.root:
        raise LogTampered(f"the first {own.size} entries have another root than was signed")


def require_checkpoint(own: OwnHead, found: Extent) -> None:
    """The newest checkpoint of the database is the newest that was signed."""
    if own.note is None:
        # Nothing was signed under this origin yet: an empty log, or one that was restored.
        if own.size == 0 and found.signed_size is not None:
            raise LogTampered("the database holds a checkpoint that was not signed here")
        return
    if (found.signed_size, found.signed_note) != (own.size, own.note) or (
        (found.signed_root or b"").hex() != own.root
    ):
        raise LogTampered(f"the newest checkpoint is not the one that was signed at {own.size}")


def _gone() -> list[StoredEntry]:
    raise LogTampered("entries that were about to be signed are gone")
