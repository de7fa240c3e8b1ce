"""The log against itself and against its checkpoints: one pass over all entries."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from sqlalchemy import Row

from auditlog import (
    TILE_BYTES,
    BadNote,
    Checkpoint,
    Frontier,
    Place,
    VerifierKey,
    grow,
    leaf_hash,
    shape_of,
)
from inventory_vault.audit.domain import ORIGIN_BEGUN, StoredEntry
from inventory_vault.audit.service import fault_of
from inventory_vault.auditor import repository
from inventory_vault.auditor.anchors import Anchor, TrustedKeys
from inventory_vault.auditor.findings import Findings
from kit.db import Transaction


class TreeCheck:
    """Walks the log once, with the checkpoints of the database and those kept outside beside it."""

    def __init__(
        self,
        tx: Transaction,
        keys: TrustedKeys,
        anchors: Sequence[Anchor],
        findings: Findings,
    ) -> None:
        self._tx = tx
        self._keys = keys
        self._anchors = deque(anchors)
        self._findings = findings
        self._frontier = Frontier()
        self._edge: dict[Place, bytes] = {}
        self._is_whole = True
        self._head: Checkpoint | None = None
        self._origins = _Origins(findings, keys)

    async def run(self) -> None:
        """Every leaf, place, tile, root and signature."""
        size, tiles, checkpoints = await repository.extent(self._tx)
        self._findings.entries, self._findings.checkpoints = size, checkpoints
        await self._walk(repository.rows(self._tx, repository.CHECKPOINTS))
        if self._is_whole:
            await self._check_tiles(self._edge)
            if tiles != len(shape_of(self._frontier.size)):
                self._findings.add("tiles", f"{tiles} instead of those of {size} entries")
        for anchor in self._anchors:
            if not self._origins.has_lost(anchor):
                self._findings.add(
                    anchor.source,
                    f"signed {anchor.checkpoint.size} entries, the log has {size}: its end is gone",
                )
        self._origins.finish(size)

    async def _walk(self, heads: AsyncIterator[Row[Any]]) -> None:
        head = await anext(heads, None)
        async for page in repository.entries(self._tx):
            hashes: list[bytes] = []
            for row in page:
                hashes.append(self._check_entry(row))
                if self._is_whole:
                    self._frontier.append(hashes[-1])
                    while head is not None and head.size <= self._frontier.size:
                        self._check_head(head)
                        head = await anext(heads, None)
                    self._check_anchors()
            await self._check_page(page, hashes)
        while head is not None:
            self._findings.add(f"checkpoint {head.size}", "the entries do not lead up to it")
            head = await anext(heads, None)

    def _check_entry(self, row: Row[Any]) -> bytes:
        leaf = bytes(row.leaf)
        entry = StoredEntry(
            row.entry_id, row.merchant_id, row.object_id, row.action, leaf, bytes(row.leaf_hash)
        )
        fault = fault_of(entry)
        if fault is not None:
            self._findings.add(f"entry {row.seq} ({row.entry_id})", fault)
        if self._is_whole and row.seq != self._frontier.size:
            self._is_whole = False
            self._findings.add(
                f"entry {row.seq}",
                f"stands where entry {self._frontier.size} belongs: entries are missing or were "
                "put between; no root from here on can be true",
            )
        if row.action == ORIGIN_BEGUN:
            self._origins.begun(row.seq, leaf)
        return leaf_hash(leaf)

    def _check_head(self, row: Row[Any]) -> None:
        where = f"checkpoint {row.size}"
        try:
            checkpoint = self._keys.open(row.note)
        except BadNote as error:
            self._findings.add(where, str(error))
            return
        self._head = checkpoint
        self._origins.signed(checkpoint, row.vkey)
        if (checkpoint.size, checkpoint.root) != (row.size, bytes(row.root)):
            self._findings.add(where, "the signed note says something else than the row")
        if row.size != self._frontier.size or checkpoint.root != self._frontier.root():
            self._findings.add(where, "the entries have another root than was signed")

    def _check_anchors(self) -> None:
        """Those of the present size; they are in the order of their sizes."""
        while self._anchors and self._anchors[0].checkpoint.size <= self._frontier.size:
            anchor = self._anchors.popleft()
            kept = anchor.checkpoint
            if self._origins.has_lost(anchor):
                continue
            if kept.root != self._frontier.root():
                fault = f"the first {kept.size} entries are not those that were signed"
                self._findings.add(anchor.source, fault)
            elif kept != self._head:
                fault = f"the database lacks the checkpoint that was signed at {kept.size}"
                self._findings.add(anchor.source, fault)

    async def _check_page(self, page: Sequence[Row[Any]], hashes: Sequence[bytes]) -> None:
        if not self._is_whole:
            return
        tiles = grow(self._edge, self._frontier.size - len(page), hashes)
        full = {place: tile for place, tile in tiles.items() if len(tile) == TILE_BYTES}
        await self._check_tiles(full)
        grown = {**self._edge, **tiles}
        self._edge = {place: tile for place, tile in grown.items() if place not in full}

    async def _check_tiles(self, expected: dict[Place, bytes]) -> None:
        found = await repository.tiles(self._tx, expected)
        for place, tile in expected.items():
            if found.get(place) != tile:
                self._findings.add(f"tile {place}", "it does not hold the hashes of the entries")


class _Origins:
    """Under which name which part of the log was signed. A new name begins with an entry that says
    so, signed under it; the part of the old one that was lost then is told, not hidden.
    """

    def __init__(self, findings: Findings, keys: TrustedKeys) -> None:
        self._findings = findings
        self._keys = keys
        self._begun: dict[str, tuple[int, dict[str, Any]]] = {}
        self._now: Checkpoint | None = None
        self._ended: dict[str, tuple[int, int]] = {}

    def begun(self, seq: int, leaf: bytes) -> None:
        try:
            facts = orjson.loads(leaf)["facts"]
            self._begun[str(facts["origin"])] = (seq, facts)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self._findings.add(f"entry {seq}", "it begins an origin, but does not say which")

    def signed(self, checkpoint: Checkpoint, vkey: str) -> None:
        """The next checkpoint of the database."""
        where = f"checkpoint {checkpoint.size}"
        try:
            if VerifierKey.parse(vkey).name != checkpoint.origin:
                self._findings.add(where, "its key is that of another origin")
        except BadNote as error:
            self._findings.add(where, f"its key: {error}")
        before, self._now = self._now, checkpoint
        if before is None or before.origin == checkpoint.origin:
            return
        seq, facts = self._begun.pop(checkpoint.origin, (-1, {}))
        if seq != before.size or facts.get("old_origin") != before.origin:
            self._findings.add(where, f"no entry begins the origin {checkpoint.origin}")
            return
        self._ended[before.origin] = (seq, self._lost_up_to(seq, facts))

    def has_lost(self, anchor: Anchor) -> bool:
        """Whether the anchor speaks of entries that a declared restore has lost."""
        kept, lost = self._ended.get(anchor.checkpoint.origin, (0, 0))
        if not kept < anchor.checkpoint.size <= lost:
            return False
        self._findings.notices.append(
            f"{anchor.source}: entries {kept} to {anchor.checkpoint.size - 1} of "
            f"{anchor.checkpoint.origin} were lost in the restore that entry {kept} tells of"
        )
        return True

    def finish(self, size: int) -> None:
        if size and (self._now is None or self._now.size != size):
            signed = self._now.size if self._now else 0
            self._findings.add("log", f"{size} entries, but only {signed} are signed")
        for origin, (seq, _) in self._begun.items():
            self._findings.add(f"entry {seq}", f"it begins {origin}, which then signed nothing")

    def _lost_up_to(self, seq: int, facts: dict[str, Any]) -> int:
        """Up to where the old origin had signed, as the first entry of the new one proves."""
        note = facts.get("old_checkpoint")
        if note is None:
            return seq
        try:
            return self._keys.open(str(note)).size
        except BadNote as error:
            self._findings.add(f"entry {seq}", f"the old checkpoint it holds: {error}")
            return seq
