"""The box format LS1: seal, open, re-seal, fingerprint, mask. The only code that imports nacl."""

from sealing.box import (
    HEADER_BYTES,
    KEY_BYTES,
    NONCE_BYTES,
    SECRET_BYTES_MAX,
    Box,
    BoxOpener,
    Header,
    Plaintext,
    Sealer,
    check_public_key,
)
from sealing.errors import (
    BadPublicKey,
    BadWrapping,
    HeaderMismatch,
    SealingError,
    SecretTooLong,
    Unopenable,
)
from sealing.fingerprint import FINGERPRINT_BYTES, Fingerprinter
from sealing.keys import (
    KeyPair,
    key_pair_of,
    new_key_pair,
    new_master_key,
    unwrap_key_pair,
    wrap_private_key,
)
from sealing.mask import mask_of
from sealing.secret import Secret

__all__ = [
    "FINGERPRINT_BYTES",
    "HEADER_BYTES",
    "KEY_BYTES",
    "NONCE_BYTES",
    "SECRET_BYTES_MAX",
    "BadPublicKey",
    "BadWrapping",
    "Box",
    "BoxOpener",
    "Fingerprinter",
    "Header",
    "HeaderMismatch",
    "KeyPair",
    "Plaintext",
    "Sealer",
    "SealingError",
    "Secret",
    "SecretTooLong",
    "Unopenable",
    "check_public_key",
    "key_pair_of",
    "mask_of",
    "new_key_pair",
    "new_master_key",
    "unwrap_key_pair",
    "wrap_private_key",
]
