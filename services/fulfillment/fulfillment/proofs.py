"""The proof that somebody at a buyer's page has shown the one-time code: short-lived, for that page
alone, kept by its script in memory and sent in a header.

proof = base64url(end in unix seconds, 4 bytes | keyed BLAKE2b MAC over page id and end, 16).
"""

import base64
import hmac
import re
from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

_END_BYTES = 4
_MAC_BYTES = 16
PROOF_LENGTH = 27
_PROOF = re.compile(rf"[A-Za-z0-9_\-]{{{PROOF_LENGTH}}}")


class PageProofs:
    """Whoever has the secret can make them; the same secret as that of the links, for another
    purpose."""

    def __init__(self, secret: str, life: timedelta) -> None:
        self._key = blake2b(secret.encode(), digest_size=32, person=b"lockstock-proofs").digest()
        self._life = life

    def make(self, page_id: UUID, now: datetime) -> tuple[str, datetime]:
        """A proof for the page, and when it ends."""
        ends_at = (now + self._life).replace(microsecond=0)
        end = int(ends_at.timestamp()).to_bytes(_END_BYTES, "big")
        text = base64.urlsafe_b64encode(end + self._mac(page_id, end)).decode().rstrip("=")
        return text, ends_at

    def holds(self, proof: str | None, page_id: UUID, now: datetime) -> bool:
        """Whether it was made here, for this page, and has not ended."""
        if proof is None or not _PROOF.fullmatch(proof):
            return False
        raw = base64.urlsafe_b64decode(proof + "=")
        end, mac = raw[:_END_BYTES], raw[_END_BYTES:]
        is_ours = hmac.compare_digest(mac, self._mac(page_id, end))
        return is_ours and now.timestamp() < int.from_bytes(end, "big")

    def _mac(self, page_id: UUID, end: bytes) -> bytes:
        return blake2b(
            page_id.bytes + end, key=self._key, digest_size=_MAC_BYTES, person=b"lockstock-proof"
        ).digest()
