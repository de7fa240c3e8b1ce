"""A buyer's contact: hashed to be found again by value, sealed to be written to later, masked."""

import hashlib
import json
from dataclasses import dataclass

from nacl.secret import SecretBox

from kit.contacts import mask_email, mask_phone, normal_email, normal_phone


class ContactHasher:
    """Keyed BLAKE2b; the key is a secret of this service and is not in the database."""

    def __init__(self, key: str) -> None:
        self._key = hashlib.blake2b(key.encode(), digest_size=32, person=b"ls-contact").digest()

    def hashes(self, email: str | None, phone: str | None) -> tuple[str, ...]:
        """Of each that is given, normalised, the e-mail address first."""
        normal = []
        if email:
            normal.append(normal_email(email))
        if phone:
            normal.append(normal_phone(phone))
        return tuple(self._hash(value) for value in normal)

    def _hash(self, normal: str) -> str:
        return hashlib.blake2b(normal.encode(), key=self._key, digest_size=32).hexdigest()


@dataclass(frozen=True, slots=True)
class Contact:
    email: str | None
    phone: str | None

    @property
    def masked(self) -> "Contact":
        return Contact(
            mask_email(self.email) if self.email else None,
            mask_phone(self.phone) if self.phone else None,
        )

    def __repr__(self) -> str:
        return "Contact(***)"


class ContactBox:
    """Seals contacts that are kept to be written to later. Its key is derived from the hash's key
    and is not in the database.
    """

    def __init__(self, key: str) -> None:
        derived = hashlib.blake2b(
            key.encode(), digest_size=SecretBox.KEY_SIZE, person=b"ls-contact-box"
        )
        self._box = SecretBox(derived.digest())

    def seal(self, contact: Contact) -> bytes:
        plain = json.dumps({"email": contact.email, "phone": contact.phone})
        return bytes(self._box.encrypt(plain.encode()))

    def open(self, sealed: bytes) -> Contact:
        """Raises CryptoError for what was sealed by another key."""
        return Contact(**json.loads(self._box.decrypt(sealed)))
