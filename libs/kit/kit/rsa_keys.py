"""RSA keys as merchants paste them: PEM, a certificate, or the bare base64 that some tools show."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey


def read_private_key(text: str, *, is_known: bool = False) -> RSAPrivateKey:
    """`is_known`: its soundness was checked before, which takes much longer than reading it. Raises
    ValueError, without the text.
    """
    try:
        key = serialization.load_pem_private_key(
            _framed(text, "PRIVATE KEY"), password=None, unsafe_skip_rsa_key_validation=is_known
        )
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("no plain private key") from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("no RSA key")  # noqa: TRY004 - a value that cannot be used
    return key


def read_public_key(text: str) -> RSAPublicKey:
    """Raises ValueError."""
    try:
        if "BEGIN CERTIFICATE" in text:
            key: object = x509.load_pem_x509_certificate(text.encode()).public_key()
        else:
            key = serialization.load_pem_public_key(_framed(text, "PUBLIC KEY"))
    except UnsupportedAlgorithm as error:
        raise ValueError("no RSA key") from error
    if not isinstance(key, RSAPublicKey):
        raise ValueError("no RSA key")  # noqa: TRY004 - a value that cannot be used
    return key


def _framed(text: str, kind: str) -> bytes:
    if "-----BEGIN" in text:
        return text.strip().encode()
    bare = "".join(text.split())
    lines = [bare[place : place + 64] for place in range(0, len(bare), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"]).encode()
