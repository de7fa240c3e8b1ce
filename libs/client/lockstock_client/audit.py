"""The vault's audit log: read it, prove an entry, find out whether it was changed."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from auditlog import (
    AuditLogError,
    Checkpoint,
    ProofFile,
    VerifierKey,
    check_consistency,
    open_checkpoint,
)
from lockstock_client.problems import Conflict, LockstockError, NotAsSigned, NotFound
from lockstock_client.transport import Service
from lockstock_client.waiting import until
from lockstock_client.wire import (
    AuditCheckpointJson,
    AuditConsistencyJson,
    AuditEntryJson,
    AuditProofJson,
)

PLACE_SECONDS_MAX = 15.0
PROOFS_AT_ONCE = 8
ENTRIES_MAX = 10_000


class Audit:
    """What happened to the merchant's stock, in a log that only grows."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def entries(
        self, *, object_id: str | None = None, action: str | None = None, after: int | None = None
    ) -> AsyncIterator[AuditEntryJson]:
        """In the order of the log, from the one after seq `after` on."""
        filters = {"object_id": object_id, "action": action, "after_seq": after}
        async for entry in self._vault.pages("/v1/audit/entries", **filters):
            yield cast(AuditEntryJson, entry)

    async def checkpoint(self, size: int | None = None) -> AuditCheckpointJson:
        """The newest signed head, or that of a size. Raises NotFound."""
        found = await self._vault.get("/v1/audit/checkpoint", size=size)
        return cast(AuditCheckpointJson, found)

    async def proof(self, entry_id: str, *, size: int | None = None) -> AuditProofJson:
        """That an entry is in the log. Raises Conflict while it has no place yet, NotFound."""
        found = await self._vault.get(f"/v1/audit/proofs/{entry_id}", size=size)
        return cast(AuditProofJson, found)

    async def consistency(self, old: int, new: int) -> AuditConsistencyJson:
        """That the log at size `new` begins with the log at size `old`. Raises NotFound."""
        found = await self._vault.get("/v1/audit/consistency", **{"from": old, "to": new})
        return cast(AuditConsistencyJson, found)

    async def prove(self, entry_id: str, key: VerifierKey | None = None) -> tuple[ProofFile, str]:
        """A checked proof of an entry, and the key that it holds for: `key`, or else the one that
        the service names. Waits for the entry's place. Raises NotAsSigned, NotFound.
        """

        async def ask() -> AuditProofJson | None:
            try:
                return await self.proof(entry_id)
            except Conflict:
                return None

        answer = await until(
            ask,
            lambda found: found is not None,
            seconds_max=PLACE_SECONDS_MAX,
            late=lambda _: f"entry {entry_id} still has no place in the log; try again",
            pause=self._vault.pause,
        )
        assert answer is not None
        try:
            trusted = key or VerifierKey.parse(answer["checkpoint"]["vkey"])
            proof = proof_file(answer)
            proof.check([trusted])
        except (AuditLogError, ValueError) as error:
            raise NotAsSigned(
                f"the service's proof of {entry_id} does not hold: {error}"
            ) from error
        return proof, str(trusted)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found in order. `is_new_key`: the key was taken from the service."""

    key: str
    size: int
    kept: int
    entries: int
    is_new_key: bool
    is_done: bool
    """False when more entries than were allowed wait for the next run."""


class KeptCheckpoints:
    """A folder with every checkpoint that was seen, the key, and how far entries were checked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def key(self) -> VerifierKey | None:
        """The key of the first visit."""
        path = self._folder / "vkey"
        return VerifierKey.parse(path.read_text(encoding="utf-8")) if path.exists() else None

    def all(self, key: VerifierKey) -> list[Checkpoint]:
        """By size. Raises NotAsSigned for one that the key did not sign."""
        found = []
        for path in sorted(self._folder.glob("*.note")):
            try:
                found.append(open_checkpoint(path.read_text(encoding="utf-8"), [key]))
            except AuditLogError as error:
                raise NotAsSigned(f"{path}: {error}") from error
        return sorted(found, key=lambda checkpoint: checkpoint.size)

    def keep(self, key: VerifierKey, checkpoint: Checkpoint, note: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        _write(self._folder / "vkey", f"{key}\n")
        _write(self._folder / f"{checkpoint.size:015}.note", note)

    def checked_to(self) -> int | None:
        """The seq of the last entry that was checked."""
        path = self._folder / "checked.json"
        return int(json.loads(path.read_text())["seq"]) if path.exists() else None

    def set_checked_to(self, seq: int) -> None:
        _write(self._folder / "checked.json", json.dumps({"seq": seq}))


async def verify(
    audit: Audit,
    kept: KeptCheckpoints,
    *,
    key: VerifierKey | None = None,
    entries_max: int = ENTRIES_MAX,
) -> Verified:
    """Holds the log against every kept checkpoint, keeps the newest, and checks the merchant's own
    entries that were not checked before, at most `entries_max`. Raises NotAsSigned.
    """
    known = kept.key()
    if key is not None and known is not None and key != known:
        raise NotAsSigned(f"the checkpoints kept here are signed with another key: {known}")
    newest = await audit.checkpoint()
    try:
        trusted = key or known or VerifierKey.parse(newest["vkey"])
        head = open_checkpoint(newest["note"], [trusted])
    except AuditLogError as error:
        raise NotAsSigned(f"the newest checkpoint: {error}") from error
    old = kept.all(trusted)
    await _require_growth(audit, [*old, head])
    kept.keep(trusted, head, newest["note"])
    entries, is_done = await _check_entries(audit, kept, trusted, head, entries_max)
    return Verified(
        str(trusted), head.size, len(old), entries, key is None and known is None, is_done
    )


async def _require_growth(audit: Audit, checkpoints: list[Checkpoint]) -> None:
    """Each of them begins with the one before."""
    for old, new in itertools.pairwise(checkpoints):
        if old.size > new.size:
            raise NotAsSigned(f"the log had {old.size} entries and has {new.size}")
        if old.size == new.size:
            hashes: list[bytes] = []
        else:
            try:
                proof = await audit.consistency(old.size, new.size)
            except NotFound as error:
                raise NotAsSigned(
                    f"the log no longer knows its checkpoint at {old.size} or {new.size}"
                ) from error
            hashes = _hashes(proof["hashes"])
        try:
            check_consistency(old.size, old.root, new.size, new.root, hashes)
        except AuditLogError as error:
            raise NotAsSigned(
                f"the log at {new.size} entries does not begin with the log at {old.size}: {error}"
            ) from error


async def _check_entries(
    audit: Audit, kept: KeptCheckpoints, key: VerifierKey, head: Checkpoint, entries_max: int
) -> tuple[int, bool]:
    """(how many were checked, whether these were all)"""
    batch: list[AuditEntryJson] = []
    checked = 0
    async for entry in audit.entries(after=kept.checked_to()):
        if entry["seq"] >= head.size:
            break
        if checked + len(batch) == entries_max:
            await _check_batch(audit, kept, key, head, batch)
            return entries_max, False
        batch.append(entry)
        if len(batch) == PROOFS_AT_ONCE:
            await _check_batch(audit, kept, key, head, batch)
            checked, batch = checked + len(batch), []
    await _check_batch(audit, kept, key, head, batch)
    return checked + len(batch), True


async def _check_batch(
    audit: Audit,
    kept: KeptCheckpoints,
    key: VerifierKey,
    head: Checkpoint,
    batch: list[AuditEntryJson],
) -> None:
    if not batch:
        return
    await asyncio.gather(*(_check_entry(audit, key, head, entry) for entry in batch))
    kept.set_checked_to(batch[-1]["seq"])


async def _check_entry(
    audit: Audit, key: VerifierKey, head: Checkpoint, entry: AuditEntryJson
) -> None:
    """The entry, as the list showed it, is in the log of this very checkpoint."""
    where = f"entry {entry['seq']} ({entry['entry_id']})"
    try:
        proof = proof_file(await audit.proof(entry["entry_id"], size=head.size))
        said = json.loads(entry["leaf"])
        if proof.check([key], entry["leaf"].encode()) != head or proof.index != entry["seq"]:
            raise NotAsSigned(f"{where}: the proof is of another place or checkpoint")
    except (AuditLogError, NotFound, ValueError) as error:
        raise NotAsSigned(f"{where}: {error}") from error
    if (said.get("entry_id"), said.get("action")) != (entry["entry_id"], entry["action"]):
        raise NotAsSigned(f"{where}: the list says something else than the entry")


def proof_file(answer: AuditProofJson) -> ProofFile:
    """Raises ValueError for hashes that are not base64."""
    return ProofFile(
        answer["index"],
        tuple(_hashes(answer["hashes"])),
        answer["checkpoint"]["note"],
        answer["entry"]["leaf"].encode(),
    )


def write_proof(proof: ProofFile, path: Path) -> None:
    """Wholly or not at all. Raises LockstockError."""
    try:
        _write(path, proof.text())
    except OSError as error:
        raise LockstockError(f"{path} cannot be written: {error.strerror}") from error


def _hashes(texts: list[str]) -> list[bytes]:
    return [base64.b64decode(text, validate=True) for text in texts]


def _write(path: Path, text: str) -> None:
    making = path.with_name(f"{path.name}.making")
    making.write_text(text, encoding="utf-8")
    making.replace(path)
