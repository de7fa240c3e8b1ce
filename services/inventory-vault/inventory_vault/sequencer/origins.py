"""A log goes on under a new name when it cannot truthfully go on under the old one."""

from collections.abc import Mapping

import orjson

from auditlog import BadTiles, Place, claimed_checkpoint, edge_of, reader, root_at
from inventory_vault.audit.domain import AUDIT_LOG, ORIGIN_BEGUN, Fact, Note
from inventory_vault.audit.service import entry_of
from inventory_vault.sequencer import repository
from inventory_vault.sequencer.folder import (
    AuditFolder,
    Beginning,
    FolderTrouble,
    OwnHead,
    OwnState,
)
from inventory_vault.sequencer.repository import Extent
from inventory_vault.sequencer.sequencing import begin
from kit.clock import SystemClock
from kit.db import Database

OPERATOR = "operator"


async def begin_anew(db: Database, folder: AuditFolder, reason: str) -> OwnState:
    """Accepts the log as the database has it now, and begins a new origin on top of it.

    What the old one had signed is embedded in the first entry of the new one: whoever kept a
    checkpoint of entries that are lost finds the reason there. Raises FolderTrouble when another
    sequencer holds the folder.
    """
    with folder.locked() as is_ours:
        if not is_ours:
            raise FolderTrouble(f"{folder.path} is in use: stop the vault's workers first")
        old = folder.read()
        async with db.read() as tx:
            found = await repository.extent(tx)
            tiles = await repository.tiles(tx, edge_of(found.size))
        state = begin(folder, _restored_head(found, tiles))
        old_origin, old_checkpoint = _last_of(old, found)
        facts: dict[str, Fact] = {
            "origin": state.origin,
            "vkey": state.vkey,
            "size": found.size,
            "reason": reason,
            "old_origin": old_origin,
            "old_checkpoint": old_checkpoint,
        }
        at = SystemClock().now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        entry = entry_of(Note(ORIGIN_BEGUN, None, AUDIT_LOG, OPERATOR, facts), at)
        beginning = Beginning(entry_id=str(entry.entry_id), leaf=entry.leaf.decode())
        state = state.model_copy(update={"beginning": beginning})
        folder.write(state)
    return state


def _restored_head(found: Extent, tiles: Mapping[Place, bytes]) -> OwnHead:
    try:
        root = root_at(found.size, reader(tiles))
    except BadTiles as error:
        raise FolderTrouble(f"the log in the database is not whole: {error}") from error
    return OwnHead(size=found.size, root=root.hex(), note=None)


def _last_of(old: OwnState | None, found: Extent) -> tuple[str | None, str | None]:
    """(origin, note) of the last checkpoint before, as far as it is known."""
    if old is None:
        note = found.signed_note
        return (None if note is None else claimed_checkpoint(note).origin), note
    if old.beginning is not None:
        # Begun, but nothing was signed yet: what that one told of is told again.
        facts = orjson.loads(old.beginning.leaf)["facts"]
        return facts["old_origin"], facts["old_checkpoint"]
    # A signed intent counts: it may have been seen although it was never confirmed.
    head = old.intent.head if old.intent else old.confirmed
    return old.origin, head.note
