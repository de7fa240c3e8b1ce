"""LS1: the box a unit lies in. README.md of this package is the specification.

crypto_box has no associated data, so the plaintext itself says whose it is: a fixed binary header
(merchant, lot, unit, key) that must equal the row the box was found in. Two boxes swapped by
somebody with SQL rights therefore open to an error, not to another unit's code.
"""

import hmac
from collections import OrderedDict
from dataclasses import dataclass
from typing import NoReturn, Self
from uuid import UUID

import nacl.bindings as sodium
from nacl._sodium import ffi, lib
from nacl.exceptions import CryptoError
from nacl.utils import random

from sealing.errors import BadPublicKey, HeaderMismatch, SecretTooLong, Unopenable
from sealing.secret import Secret

MAGIC = b"LS1"
SUITE_CRYPTO_BOX = b"\x01"  # X25519, XSalsa20-Poly1305; padding ISO 7816-4 to 256 bytes
HEADER_BYTES = 68
PADDING_BYTES = 256
SECRET_BYTES_MAX = 65_536
KEY_BYTES = 32
NONCE_BYTES = 24
MAC_BYTES = 16
SHARED_KEYS_KEPT_MAX = 256


@dataclass(frozen=True, slots=True)
class Header:
    """Whose box it is and which key of the vault it was sealed for."""

    merchant_id: UUID
    lot_id: UUID
    unit_id: UUID
    key_id: UUID

    def to_bytes(self) -> bytes:
        return b"".join(
            (
                MAGIC,
                SUITE_CRYPTO_BOX,
                self.merchant_id.bytes,
                self.lot_id.bytes,
                self.unit_id.bytes,
                self.key_id.bytes,
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises ValueError for anything but a header of this format."""
        if len(data) != HEADER_BYTES or data[:4] != MAGIC + SUITE_CRYPTO_BOX:
            raise ValueError("not a header of LS1")
        return cls(*(UUID(bytes=data[start : start + 16]) for start in range(4, HEADER_BYTES, 16)))


@dataclass(frozen=True, slots=True)
class Box:
    """What NaCl's crypto_box_open takes: `public_key` is the sender's."""

    public_key: bytes
    nonce: bytes
    ciphertext: bytes


class Plaintext:
    """The opened inside of a box: header, JSON, padding. Prints as *** like the secret in it."""

    __slots__ = ("_padded",)

    def __init__(self, padded: bytes) -> None:
        self._padded = padded

    def secret(self) -> Secret:
        """Raises Unopenable if the inside is damaged."""
        try:
            return Secret.from_json(_unpad(self._padded)[HEADER_BYTES:])
        except ValueError:
            raise Unopenable("the inside of the box is damaged") from None

    def rebound(self, header: Header) -> "Plaintext":
        """The same inside under another header: how a unit moves to another key of the vault."""
        return Plaintext(header.to_bytes() + self._padded[HEADER_BYTES:])

    def disclose(self) -> bytes:
        """The padded bytes, for sealing them again."""
        return self._padded

    def __repr__(self) -> str:
        return "***"

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a plaintext is neither copied nor pickled")


class Sealer:
    """Seals many units with one ephemeral key pair whose private half is dropped at once.

    The shared key is computed once per lot: 18 times faster than a sealed box per unit.
    `public_key` (the sender's) is stored beside the boxes; with it the recipient's private key
    opens them, and nothing else does once this object is gone.
    """

    def __init__(self, recipient_public_key: bytes) -> None:
        self.public_key, private_key = sodium.crypto_box_keypair()
        self._shared = _shared_key(recipient_public_key, private_key)

    def seal(self, header: Header, secret: Secret) -> Box:
        """Raises SecretTooLong."""
        return self.seal_plaintext(Plaintext(_pad(header.to_bytes() + _checked(secret.to_json()))))

    def seal_plaintext(self, plaintext: Plaintext) -> Box:
        """The same inside under a fresh nonce: how a unit is re-sealed for its recipient."""
        nonce = random(NONCE_BYTES)
        return Box(
            self.public_key,
            nonce,
            sodium.crypto_box_easy_afternm(plaintext.disclose(), nonce, self._shared),
        )


class LotSealer:
    """Seals the units of one lot: the boxes of `Sealer.seal`, made in a third of the time.

    A million units are sealed per import, so this calls libsodium without PyNaCl's checks and
    copies: lengths are checked here, the buffer is used again.
    """

    def __init__(
        self, recipient_public_key: bytes, merchant_id: UUID, lot_id: UUID, key_id: UUID
    ) -> None:
        self.public_key, private_key = sodium.crypto_box_keypair()
        # The buffer keeps the shared key alive as long as this object.
        self._shared = ffi.from_buffer(_shared_key(recipient_public_key, private_key))
        self._head = MAGIC + SUITE_CRYPTO_BOX + merchant_id.bytes + lot_id.bytes
        self._key_id = key_id.bytes
        self._size = 0
        self._room(4 * PADDING_BYTES)

    def seal(self, unit_id: bytes, secret_json: bytes, nonce: bytes) -> bytes:
        """The ciphertext. `nonce` is random, used for this box only. Raises SecretTooLong."""
        assert len(unit_id) == 16 and len(nonce) == NONCE_BYTES  # noqa: PT018 - read out of bounds
        plain = _pad(b"".join((self._head, unit_id, self._key_id, _checked(secret_json))))
        size = len(plain)
        if size > self._size:
            self._room(size)
        lib.crypto_box_easy_afternm(self._out, plain, size, nonce, self._shared)
        box: bytes = self._view[: size + MAC_BYTES]
        return box

    def _room(self, size: int) -> None:
        self._size = size
        self._out = ffi.new("unsigned char[]", size + MAC_BYTES)
        self._view = ffi.buffer(self._out, size + MAC_BYTES)


class BoxOpener:
    """Opens boxes made for one private key; keeps the shared keys of the lots used last."""

    def __init__(self, private_key: bytes) -> None:
        self._private_key = private_key
        self._shared: OrderedDict[bytes, bytes] = OrderedDict()

    def open(self, box: Box, expected: Header) -> Plaintext:
        """Raises Unopenable, or HeaderMismatch when the box is another row's."""
        padded = self._open(box)
        if not hmac.compare_digest(padded[:HEADER_BYTES], expected.to_bytes()):
            raise HeaderMismatch("the box belongs to another row")
        return Plaintext(padded)

    def open_received(self, box: Box) -> tuple[Header, Plaintext]:
        """For a recipient without rows: the header to compare with what was asked for, and the
        inside. Raises Unopenable.
        """
        padded = self._open(box)
        try:
            return Header.from_bytes(padded[:HEADER_BYTES]), Plaintext(padded)
        except ValueError:
            raise Unopenable("the inside of the box is not LS1") from None

    def _open(self, box: Box) -> bytes:
        shared = self._shared_with(box.public_key)
        try:
            return sodium.crypto_box_open_easy_afternm(box.ciphertext, box.nonce, shared)
        except (CryptoError, ValueError, TypeError):
            raise Unopenable("the box was changed or is not for this key") from None

    def _shared_with(self, sender_public_key: bytes) -> bytes:
        shared = self._shared.get(sender_public_key)
        if shared is None:
            try:
                shared = _shared_key(sender_public_key, self._private_key)
            except BadPublicKey:
                raise Unopenable("the sender's key is no key") from None
            self._shared[sender_public_key] = shared
            if len(self._shared) > SHARED_KEYS_KEPT_MAX:
                self._shared.popitem(last=False)
        else:
            self._shared.move_to_end(sender_public_key)
        return shared


def check_public_key(public_key: bytes) -> None:
    """Raises BadPublicKey for what cannot be sealed to (wrong length, small order)."""
    _shared_key(public_key, _ANY_PRIVATE_KEY)


def _shared_key(public_key: bytes, private_key: bytes) -> bytes:
    if len(public_key) != KEY_BYTES:
        raise BadPublicKey("an X25519 public key has 32 bytes")
    try:
        return sodium.crypto_box_beforenm(public_key, private_key)
    except (CryptoError, RuntimeError):
        raise BadPublicKey("a point of small order is no public key") from None


# Only tells good points from bad ones; nothing is ever sealed with it.
_ANY_PRIVATE_KEY = bytes(range(KEY_BYTES))


def _checked(secret: bytes) -> bytes:
    if len(secret) > SECRET_BYTES_MAX:
        raise SecretTooLong(f"a secret has at most {SECRET_BYTES_MAX} bytes")
    return secret


def _pad(data: bytes) -> bytes:
    """ISO 7816-4: 0x80, then zeros, to a multiple of 256. Length tells nothing up to 187 bytes."""
    return data + b"\x80" + bytes(-(len(data) + 1) % PADDING_BYTES)


def _unpad(padded: bytes) -> bytes:
    data = padded.rstrip(b"\x00")
    if not data.endswith(b"\x80"):
        raise ValueError("padding")
    return data[:-1]
