"""Key pairs of X25519, and a private key wrapped at rest under a master key."""

from dataclasses import dataclass, field

import nacl.bindings as sodium
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from nacl.utils import random

from sealing.box import KEY_BYTES
from sealing.errors import BadWrapping


@dataclass(frozen=True, slots=True)
class KeyPair:
    public_key: bytes
    private_key: bytes = field(repr=False)


def new_key_pair() -> KeyPair:
    public_key, private_key = sodium.crypto_box_keypair()
    return KeyPair(public_key, private_key)


def key_pair_of(private_key: bytes) -> KeyPair:
    """The pair of a private key that was kept; the public half is computed from it."""
    return KeyPair(sodium.crypto_scalarmult_base(private_key), private_key)


def new_master_key() -> bytes:
    """32 random bytes."""
    return random(KEY_BYTES)


def wrap(secret: bytes, master_key: bytes) -> bytes:
    """`secret` under `master_key` (XSalsa20-Poly1305, random nonce in front)."""
    return bytes(SecretBox(master_key).encrypt(secret))


def unwrap(wrapped: bytes, master_key: bytes) -> bytes:
    """Raises BadWrapping."""
    try:
        return bytes(SecretBox(master_key).decrypt(wrapped))
    except (CryptoError, ValueError):
        raise BadWrapping("the master key does not open this") from None


def wrap_private_key(private_key: bytes, master_key: bytes) -> bytes:
    """See `wrap`."""
    return wrap(private_key, master_key)


def unwrap_key_pair(wrapped: bytes, master_key: bytes) -> KeyPair:
    """Raises BadWrapping; the public key is computed, so it cannot be a substituted one."""
    return key_pair_of(unwrap(wrapped, master_key))
