"""RSA signatures as payment providers use them: PKCS#1 v1.5 over SHA-256, base64."""

import base64
import binascii

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

KEY_BITS_MIN = 2_048


def check_private_key(text: str) -> None:
    """Raises ValueError for what is no sound RSA private key."""
    try:
        key = serialization.load_pem_private_key(_pem(text, "PRIVATE KEY"), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("no plain private key") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
        raise ValueError(f"an RSA key of {KEY_BITS_MIN} bits at least")


def check_public_key(text: str) -> None:
    """Raises ValueError."""
    if _public_key(text).key_size < KEY_BITS_MIN:
        raise ValueError(f"an RSA key of {KEY_BITS_MIN} bits at least")


def sign(private_key: str, message: bytes) -> str:
    """With a key that `check_private_key` has seen: its soundness is not checked anew."""
    key = serialization.load_pem_private_key(
        _pem(private_key, "PRIVATE KEY"), password=None, unsafe_skip_rsa_key_validation=True
    )
    assert isinstance(key, RSAPrivateKey)
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def verifies(public_key: str, message: bytes, signature: str) -> bool:
    """Whether the owner of the key (PEM, bare base64 or a certificate) signed the message."""
    try:
        given = base64.b64decode(signature, validate=True)
        _public_key(public_key).verify(given, message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def split_certificates(pem: str) -> dict[str, str]:
    """Serial number (upper case hex) -> certificate. Raises ValueError."""
    found = x509.load_pem_x509_certificates(pem.encode())
    return {
        f"{each.serial_number:X}": each.public_bytes(serialization.Encoding.PEM).decode()
        for each in found
    }


def _public_key(text: str) -> RSAPublicKey:
    try:
        if "BEGIN CERTIFICATE" in text:
            key: object = x509.load_pem_x509_certificate(text.encode()).public_key()
        else:
            key = serialization.load_pem_public_key(_pem(text, "PUBLIC KEY"))
    except UnsupportedAlgorithm as error:
        raise ValueError("no RSA key") from error
    if isinstance(key, RSAPublicKey):
        return key
    raise ValueError("no RSA key")


def _pem(text: str, kind: str) -> bytes:
    """PEM as it is; the bare base64 that some providers' tools show gets its frame."""
    if "-----BEGIN" in text:
        return text.strip().encode()
    body = "".join(text.split())
    lines = [body[place : place + 64] for place in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"]).encode()
