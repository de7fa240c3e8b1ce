"""RSA keys, however they were pasted."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kit.rsa_keys import read_private_key, read_public_key

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8 = serialization.PrivateFormat.PKCS8
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
PLAIN = serialization.NoEncryption()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


def bare(pem: bytes) -> str:
    """As some tools show it: the lines between the frame, as one."""
    return "".join(pem.decode().splitlines()[1:-1])


def test_a_key_is_read_with_its_frame_and_without(key: rsa.RSAPrivateKey) -> None:
    pem = key.private_bytes(PEM, PKCS8, PLAIN)
    public = key.public_key().public_bytes(PEM, SPKI)

    for text in (pem.decode(), f"\n{pem.decode()}\n", bare(pem)):
        for is_known in (False, True):
            read = read_private_key(text, is_known=is_known)
            assert read.private_numbers() == key.private_numbers()
    for text in (public.decode(), bare(public)):
        assert read_public_key(text) == key.public_key()


def test_what_is_no_rsa_key_is_refused_without_being_told(key: rsa.RSAPrivateKey) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"words"))
    texts = [
        "",
        "no key at all",
        other.private_bytes(PEM, PKCS8, PLAIN).decode(),
        locked.decode(),
        key.public_key().public_bytes(PEM, SPKI).decode(),
    ]

    for text in texts:
        with pytest.raises(ValueError, match=r".") as refused:
            read_private_key(text)
        assert not text or text not in str(refused.value)
    for text in ("", "no key", other.public_key().public_bytes(PEM, SPKI).decode()):
        with pytest.raises(ValueError, match=r"."):
            read_public_key(text)
