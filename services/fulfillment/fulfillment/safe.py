"""What this service must read back and nobody else may: suppliers' secrets, what buyers entered.

The only file that knows the cipher (XChaCha20-Poly1305 of PyNaCl). What is sealed for one row
cannot be opened as another's.
"""

from hashlib import blake2b
from uuid import UUID

from nacl.exceptions import CryptoError
from nacl.secret import Aead


class CannotOpen(Exception):
    """Sealed with another key, for another row, or damaged."""


class Safe:
    def __init__(self, key: str) -> None:
        self._hash_key = blake2b(key.encode(), digest_size=32, person=b"lockstock-hash").digest()
        # A setting of any length is brought to the cipher's 32 bytes.
        self._cipher = Aead(
            blake2b(key.encode(), digest_size=32, person=b"lockstock-safe").digest()
        )

    def seal(self, plain: bytes, row_id: UUID) -> bytes:
        """`plain`, to be opened again for this row only."""
        return bytes(self._cipher.encrypt(plain, row_id.bytes))

    def fingerprint(self, value: str) -> bytes:
        """The same for the same value; without the key nobody can try values against it."""
        return blake2b(value.encode(), key=self._hash_key, digest_size=32).digest()

    def open(self, sealed: bytes, row_id: UUID) -> bytes:
        """What was sealed for the row. Raises CannotOpen."""
        try:
            return bytes(self._cipher.decrypt(sealed, row_id.bytes))
        except (CryptoError, ValueError):
            raise CannotOpen(f"what lies sealed in row {row_id} does not open") from None
