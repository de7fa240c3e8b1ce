from auditlog import Checkpoint
from lockstock.inventory_vault.v1.audit_events_pb2 import AuditCheckpoint


def audit_checkpoint(checkpoint: Checkpoint, note: str, vkey: str) -> AuditCheckpoint:
    """The signed head, for whoever keeps checkpoints outside."""
    return AuditCheckpoint(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        note=note,
        vkey=vkey,
    )
