"""X25519 public keys as they travel: 32 bytes in standard base64."""

import base64
import binascii

KEY_BYTES = 32


def decode_public_key(value: str) -> bytes:
    """The 32 bytes of a base64 X25519 public key; raises ValueError."""
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
    if len(raw) != KEY_BYTES:
        raise ValueError("an X25519 public key has 32 bytes")
    return raw
