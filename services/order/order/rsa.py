"""RSA signatures as payment providers use them: PKCS#1 v1.5 over SHA-256, base64."""

import base64
import binascii

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from kit.rsa_keys import read_private_key, read_public_key

KEY_BITS_MIN = 2_048


def check_private_key(text: str) -> None:
    """Raises ValueError for what is no sound RSA private key."""
    if read_private_key(text).key_size < KEY_BITS_MIN:
        raise ValueError(f"an RSA key of {KEY_BITS_MIN} bits at least")


def check_public_key(text: str) -> None:
    """Raises ValueError."""
    if read_public_key(text).key_size < KEY_BITS_MIN:
        raise ValueError(f"an RSA key of {KEY_BITS_MIN} bits at least")


def sign(private_key: str, message: bytes) -> str:
    """With a key that `check_private_key` has seen: its soundness is not checked anew."""
    key = read_private_key(private_key, is_known=True)
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def verifies(public_key: str, message: bytes, signature: str) -> bool:
    """Whether the owner of the key (PEM, bare base64 or a certificate) signed the message."""
    try:
        given = base64.b64decode(signature, validate=True)
        read_public_key(public_key).verify(given, message, padding.PKCS1v15(), hashes.SHA256())
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
