"""The box format LS1: seal, open, re-seal, fingerprint, mask. The only code that imports nacl."""

from sealing.box import (
    HEADER_BYTES,
    KEY_BYTES,
    NONCE_BYTES,
    SECRET_BYTES_MAX,
    Box,
    BoxOpener,
    Header,
    LotSealer,
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
from sealing.fingerprint import FINGERPRINT_BYTES, MARK_BYTES, Fingerprinter, file_digest
from sealing.keys import (
    KeyPair,
    key_pair_of,
    new_key_pair,
    new_master_key,
    unwrap,
    unwrap_key_pair,
    wrap,
    wrap_private_key,
)
from sealing.mask import mask_of, mask_text
from sealing.proof import (
    PROOF_BYTES,
    PROOF_SECRET_BYTES,
    Seal,
    SealProver,
    new_proof_secret,
)
from sealing.secret import Secret

__all__ = [
    "FINGERPRINT_BYTES",
    "HEADER_BYTES",
    "KEY_BYTES",
    "MARK_BYTES",
    "NONCE_BYTES",
    "PROOF_BYTES",
    "PROOF_SECRET_BYTES",
    "SECRET_BYTES_MAX",
    "BadPublicKey",
    "BadWrapping",
    "Box",
    "BoxOpener",
    "Fingerprinter",
    "Header",
    "HeaderMismatch",
    "KeyPair",
    "LotSealer",
    "Plaintext",
    "Seal",
    "SealProver",
    "Sealer",
    "SealingError",
    "Secret",
    "SecretTooLong",
    "Unopenable",
    "check_public_key",
    "file_digest",
    "key_pair_of",
    "mask_of",
    "mask_text",
    "new_key_pair",
    "new_master_key",
    "new_proof_secret",
    "unwrap",
    "unwrap_key_pair",
    "wrap",
    "wrap_private_key",
]
