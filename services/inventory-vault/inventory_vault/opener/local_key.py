"""A master key that this process has in its memory."""

from inventory_vault.opener.master_keys import NotWrappedHere
from sealing import KEY_BYTES, BadWrapping, unwrap, wrap


class LocalKey:
    """Wraps by XSalsa20-Poly1305 under 32 bytes."""

    def __init__(self, name: str, key: bytes) -> None:
        self.name = name
        self._key = key

    async def wrap(self, secret: bytes) -> bytes:
        return wrap(secret, self._key)

    async def unwrap(self, wrapped: bytes) -> bytes:
        try:
            return unwrap(wrapped, self._key)
        except BadWrapping as error:
            raise NotWrappedHere from error


def key_of(text: str) -> bytes:
    """32 bytes of 64 hexadecimal digits. Raises ValueError."""
    key = bytes.fromhex(text.strip())
    if len(key) != KEY_BYTES:
        raise ValueError("a master key has 32 bytes")
    return key
