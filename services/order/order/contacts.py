"""A buyer's contact as a keyed hash: found again by value, never read back without the key."""

import hashlib
import re

_NOT_DIGITS = re.compile(r"[^0-9]")


class ContactHasher:
    """Keyed BLAKE2b; the key is a secret of this service and is not in the database."""

    def __init__(self, key: str) -> None:
        self._key = hashlib.blake2b(key.encode(), digest_size=32, person=b"ls-contact").digest()

    def hash(self, email: str | None, phone: str | None) -> str | None:
        """The hash of the normalised e-mail address, or of the phone number when there is none."""
        if email:
            normal = "email:" + email.strip().casefold()
        elif phone:
            normal = "phone:" + _NOT_DIGITS.sub("", phone)
        else:
            return None
        return hashlib.blake2b(normal.encode(), key=self._key, digest_size=32).hexdigest()
