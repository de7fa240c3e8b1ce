"""inventory-vault: its audit log."""

from typing import TypedDict


class AuditEntryJson(TypedDict):
    """`leaf` is, to the byte, what the log proves."""

    seq: int
    entry_id: str
    object_id: str
    action: str
    leaf: str


class AuditCheckpointJson(TypedDict):
    """`vkey` is what the log says of itself; `root` is base64."""

    size: int
    root: str
    note: str
    vkey: str
    at: str


class AuditProofJson(TypedDict):
    entry: AuditEntryJson
    index: int
    hashes: list[str]
    checkpoint: AuditCheckpointJson


class AuditConsistencyJson(TypedDict):
    older: AuditCheckpointJson
    newer: AuditCheckpointJson
    hashes: list[str]
