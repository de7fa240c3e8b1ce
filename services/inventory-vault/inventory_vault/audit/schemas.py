import base64
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from inventory_vault.audit.domain import Entry, EntryProof, GrowthProof, SignedHead
from kit.http import Model


class AuditEntryRead(Model):
    seq: int = Field(description="The place in the log, from 0, without gaps.")
    entry_id: UUID
    object_id: UUID
    action: str
    leaf: str = Field(
        description="Canonical JSON, to the byte what the log proves: parse it, do not re-print it."
    )

    @classmethod
    def from_domain(cls, entry: Entry) -> Self:
        return cls(
            seq=entry.seq,
            entry_id=entry.entry_id,
            object_id=entry.object_id,
            action=entry.action,
            leaf=entry.leaf.decode("utf-8", errors="replace"),
        )


class AuditCheckpointRead(Model):
    size: int
    root: str = Field(description="base64")
    note: str = Field(description="The signed checkpoint (C2SP tlog-checkpoint).")
    vkey: str = Field(
        description="The key the log says it signs with. Compare it with one you know from before."
    )
    at: datetime

    @classmethod
    def from_domain(cls, head: SignedHead) -> Self:
        return cls(
            size=head.size,
            root=_base64(head.root),
            note=head.note,
            vkey=head.vkey,
            at=head.at,
        )


class AuditProofRead(Model):
    entry: AuditEntryRead
    index: int
    hashes: list[str] = Field(
        description="base64, from the leaf's sibling to the root (RFC 6962, 2.1.1)"
    )
    checkpoint: AuditCheckpointRead

    @classmethod
    def from_domain(cls, proof: EntryProof) -> Self:
        return cls(
            entry=AuditEntryRead.from_domain(proof.entry),
            index=proof.entry.seq,
            hashes=[_base64(each) for each in proof.hashes],
            checkpoint=AuditCheckpointRead.from_domain(proof.head),
        )


class AuditConsistencyRead(Model):
    older: AuditCheckpointRead
    newer: AuditCheckpointRead
    hashes: list[str] = Field(description="base64, as RFC 6962, 2.1.2 orders them")

    @classmethod
    def from_domain(cls, proof: GrowthProof) -> Self:
        return cls(
            older=AuditCheckpointRead.from_domain(proof.old),
            newer=AuditCheckpointRead.from_domain(proof.new),
            hashes=[_base64(each) for each in proof.hashes],
        )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
