"""Keyed fingerprints: the vault finds a duplicate without opening a box.

The key is not in the database, so whoever copies the table cannot try codes against it; the salt is
the merchant, so equal codes of two merchants do not look equal.
"""

import hashlib
from collections.abc import Mapping
from uuid import UUID

FINGERPRINT_BYTES = 16
"""Enough against chance (nobody aims without the key): one collision expected at 10^19 codes."""

MARK_BYTES = 8
"""Of the mark that all merchants share: a hint for counting, on which nothing else depends."""

_PERSON = b"lockstock-fp-1"
_MARK_PERSON = b"lockstock-mark-1"
_FILE_PERSON = b"lockstock-file-1"
_IGNORED = dict.fromkeys(
    map(ord, " \t\r\n\u00a0\u3000\u200b\ufeff-\uff0d\u2010\u2011\u2012\u2013\u2014\u2015")
)
# Full-width forms only. NFKC would go too far: it makes a circled digit equal to a plain one.
_FOLDED = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | _IGNORED
# What names the unit: a card is its number, whatever password a second line claims for it.
_IDENTIFYING_FIELDS = ("number", "code", "url", "image")


class Fingerprinter:
    """Fingerprints of one merchant's codes, and marks that are the same for all merchants."""

    def __init__(self, key: bytes, merchant_id: UUID) -> None:
        if len(key) < 32:
            raise ValueError("the fingerprint key needs at least 32 bytes")
        # Keyed state is prepared once: a copy per code halves the cost.
        self._prepared = hashlib.blake2b(
            key=hashlib.blake2b(key, digest_size=64, person=_PERSON).digest(),
            salt=merchant_id.bytes,
            person=_PERSON,
            digest_size=FINGERPRINT_BYTES,
        )
        self._prepared_mark = hashlib.blake2b(
            key=hashlib.blake2b(key, digest_size=64, person=_MARK_PERSON).digest(),
            person=_MARK_PERSON,
            digest_size=MARK_BYTES,
        )

    def __call__(self, fields: Mapping[str, str]) -> bytes:
        """Of the identifying field: card number, code, link or image."""
        for name in _IDENTIFYING_FIELDS:
            if name in fields:
                return self.of(name, fields[name])
        raise ValueError("no identifying field")

    def of(self, field_name: str, value: str) -> bytes:
        """Of the identifying field's value: equal in one merchant's stock only."""
        digest = self._prepared.copy()
        digest.update(normalise(field_name, value).encode())
        return digest.digest()

    def of_slot(self, field_name: str, value: str, slot: int) -> bytes:
        """Of the n-th time a reusable unit may be sold; the first is the unit's own fingerprint."""
        if slot == 1:
            return self.of(field_name, value)
        digest = self._prepared.copy()
        # No normalised value holds a line feed: this is no other unit's fingerprint.
        digest.update(f"{normalise(field_name, value)}\n{slot}".encode())
        return digest.digest()

    def mark(self, field_name: str, value: str) -> bytes:
        """Equal for equal codes of all merchants: tells that a code is in somebody else's stock
        too, never in whose. Eight bytes of another key, so it says nothing about the fingerprints.
        """
        digest = self._prepared_mark.copy()
        digest.update(normalise(field_name, value).encode())
        return digest.digest()

    def with_mark(self, field_name: str, value: str) -> bytes:
        """Fingerprint and mark, one behind the other: the value is normalised once for both."""
        normal = normalise(field_name, value).encode()
        digest, mark = self._prepared.copy(), self._prepared_mark.copy()
        digest.update(normal)
        mark.update(normal)
        return digest.digest() + mark.digest()


def file_digest(key: bytes, data: bytes) -> bytes:
    """Tells whether two files are the same. Keyed: a list of guessed files cannot be tried."""
    derived = hashlib.blake2b(key, digest_size=64, person=_FILE_PERSON).digest()
    return hashlib.blake2b(data, key=derived, person=_FILE_PERSON, digest_size=32).digest()


def normalise(field_name: str, value: str) -> str:
    """How two spellings of one code become equal; never how a code is stored.

    Full-width characters become half-width; spaces and dashes go, except in links and images, where
    they mean something. Case stays: many codes are case-sensitive.
    """
    if field_name in ("url", "image"):
        return value.strip()
    if value.isascii():
        # Five times as fast as translate, and nearly all codes are ASCII.
        if value.isprintable():
            return value.replace("-", "").replace(" ", "")
        return value.translate(_IGNORED)
    return value.translate(_FOLDED)
