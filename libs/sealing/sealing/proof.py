"""Proofs that a seal was begun in the vault's own way.

Whoever knows the public key can make a well-formed box, and whoever may write SQL can put it into
the tables with a sender's key of his own. The proof is a keyed hash of the seal that only the
opener can make, so such a row is known for what it is before anything in it is opened.
"""

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from nacl.utils import random

PROOF_BYTES = 32
PROOF_SECRET_BYTES = 32

_PERSON = b"lockstock-seal-1"


@dataclass(frozen=True, slots=True)
class Seal:
    """With which key pair the boxes of a lot were sealed, and to which key of the vault."""

    merchant_id: UUID
    lot_id: UUID
    seal_no: int
    key_id: UUID
    sender_public_key: bytes

    def to_bytes(self) -> bytes:
        """Fields of fixed length, the sender's key last: no two seals have the same bytes."""
        return b"".join(
            (
                self.merchant_id.bytes,
                self.lot_id.bytes,
                self.seal_no.to_bytes(4, "big"),
                self.key_id.bytes,
                self.sender_public_key,
            )
        )


class SealProver:
    """Makes and checks proofs with a secret that no database holds in clear."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != PROOF_SECRET_BYTES:
            raise ValueError(f"the secret of proofs has {PROOF_SECRET_BYTES} bytes")
        # The keyed state is prepared once: a copy per proof halves the cost.
        self._prepared = hashlib.blake2b(key=secret, person=_PERSON, digest_size=PROOF_BYTES)

    def prove(self, seal: Seal) -> bytes:
        digest = self._prepared.copy()
        digest.update(seal.to_bytes())
        return digest.digest()

    def holds(self, seal: Seal, proof: bytes | None) -> bool:
        """False for a missing proof too."""
        return proof is not None and hmac.compare_digest(self.prove(seal), proof)


def new_proof_secret() -> bytes:
    """32 random bytes."""
    return random(PROOF_SECRET_BYTES)
