"""A tamper-evident log: RFC 6962 tree, C2SP tiles, checkpoints and proofs. See README.md."""

from auditlog.checkpoints import (
    Checkpoint,
    claimed_checkpoint,
    open_checkpoint,
    sign_checkpoint,
)
from auditlog.errors import AuditLogError, BadNote, BadProof, BadTiles
from auditlog.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    Frontier,
    NodeAt,
    check_consistency,
    check_inclusion,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    node_hash,
    nodes_of,
    root_at,
    root_of,
)
from auditlog.notes import SEED_BYTES, SignerKey, VerifierKey, open_note
from auditlog.proof_file import FILE_SUFFIX, ProofFile
from auditlog.tiles import TILE_BYTES, Place, edge_of, grow, reader, shape_of, tiles_of

__all__ = [
    "EMPTY_ROOT",
    "FILE_SUFFIX",
    "HASH_BYTES",
    "SEED_BYTES",
    "TILE_BYTES",
    "AuditLogError",
    "BadNote",
    "BadProof",
    "BadTiles",
    "Checkpoint",
    "Frontier",
    "NodeAt",
    "Place",
    "ProofFile",
    "SignerKey",
    "VerifierKey",
    "check_consistency",
    "check_inclusion",
    "claimed_checkpoint",
    "consistency_proof",
    "edge_of",
    "frontier_at",
    "grow",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "nodes_of",
    "open_checkpoint",
    "open_note",
    "reader",
    "root_at",
    "root_of",
    "shape_of",
    "sign_checkpoint",
    "tiles_of",
]
