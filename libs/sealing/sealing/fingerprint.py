"""Keyed fingerprints: the vault finds a duplicate without opening a box.

The key is not in the database, so whoever copies the table cannot try codes against it; the salt is
the merchant, so equal codes of two merchants do not look equal.
"""

import hashlib
from collections.abc import Mapping
from uuid import UUID

FINGERPRINT_BYTES = 16
"""Enough against chance (nobody aims without the key): one collision expected at 10^19 codes."""

_PERSON = b"lockstock-fp-1"
_IGNORED = dict.fromkeys(
    map(ord, " \t\r\n\u00a0\u3000\u200b\ufeff-\uff0d\u2010\u2011\u2012\u2013\u2014\u2015")
)
# Full-width forms only. NFKC would go too far: it makes a circled digit equal to a plain one.
_FOLDED = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | _IGNORED
# What names the unit: a card is its number, whatever password a second line claims for it.
_IDENTIFYING_FIELDS = ("number", "code", "url", "image")


class Fingerprinter:
    """Fingerprints of one merchant's codes."""

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

    def __call__(self, fields: Mapping[str, str]) -> bytes:
        """Of the identifying field: card number, code, link or image."""
        for name in _IDENTIFYING_FIELDS:
            if name in fields:
                digest = self._prepared.copy()
                digest.update(normalise(name, fields[name]).encode())
                return digest.digest()
        raise ValueError("no identifying field")


def normalise(field_name: str, value: str) -> str:
    """How two spellings of one code become equal; never how a code is stored.

    Full-width characters become half-width; spaces and dashes go, except in links and images, where
    they mean something. Case stays: many codes are case-sensitive.
    """
    if field_name in ("url", "image"):
        return value.strip()
    if value.isascii():
        return value.translate(_IGNORED)
    return value.translate(_FOLDED)
