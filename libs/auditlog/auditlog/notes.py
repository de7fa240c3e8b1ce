"""Signed notes after C2SP signed-note, with Ed25519 keys (type 0x01)."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as Ed25519Key
from nacl.signing import VerifyKey

from auditlog.errors import BadNote

ED25519 = b"\x01"
SEED_BYTES = 32
NOTE_BYTES_MAX = 100_000
SIGNATURES_MAX = 32
_KEY_ID_BYTES = 4
_SIGNATURE_BYTES = 64
_DASH = "\u2014 "


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name it signs under; written `<name>+<key id>+<key>`."""

    name: str
    public_key: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadNote."""
        name, *rest = text.strip().split("+", 2)
        if len(rest) != 2:
            raise BadNote("a verifier key reads <name>+<8 hexadecimal digits>+<base64>")
        content = decode(rest[1])
        if content[:1] != ED25519 or len(content) != 33:
            raise BadNote("only Ed25519 keys (type 0x01) are known")
        key = cls(_checked_name(name), content[1:])
        if key.key_id.hex() != rest[0]:
            raise BadNote("the key's id does not fit its name and content")
        return key

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name || newline || type || public key)."""
        content = self.name.encode() + b"\n" + ED25519 + self.public_key
        return hashlib.sha256(content).digest()[:_KEY_ID_BYTES]

    def named(self, name: str) -> "VerifierKey":
        """The same key under another name."""
        return VerifierKey(_checked_name(name), self.public_key)

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode(ED25519 + self.public_key)}"


class SignerKey:
    """An Ed25519 key that signs notes under a name. Prints without its seed."""

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError("an Ed25519 seed has 32 bytes")
        self._key = Ed25519Key(seed)
        self.verifier = VerifierKey(_checked_name(name), bytes(self._key.verify_key))

    def sign(self, text: str) -> str:
        """The note: the text, which must end in a newline, a blank line and the signature."""
        if not text.endswith("\n") or not _is_clean(text):
            raise BadNote("a note's text ends in a newline and has no other control character")
        signature = self._key.sign(text.encode()).signature
        line = f"{_DASH}{self.verifier.name} {encode(self.verifier.key_id + signature)}\n"
        return f"{text}\n{line}"

    def __repr__(self) -> str:
        return f"SignerKey({self.verifier})"


def open_note(note: str, keys: Sequence[VerifierKey]) -> tuple[str, VerifierKey]:
    """The text of a note and the first of the given keys that signed it.

    Signatures by other keys are passed over; a false one in the name of a given key is not. Raises
    BadNote.
    """
    text, lines = _split(note)
    signer: VerifierKey | None = None
    for line in lines:
        name, key_id, signature = _signature(line)
        for key in keys:
            if (key.name, key.key_id) != (name, key_id):
                continue
            if not _is_signed(text, signature, key):
                raise BadNote(f"the signature of {name} is false")
            signer = signer or key
    if signer is None:
        raise BadNote("the note is not signed by a known key")
    return text, signer


def _split(note: str) -> tuple[str, list[str]]:
    if len(note) > NOTE_BYTES_MAX or not _is_clean(note):
        raise BadNote("the note is too long, or has control characters")
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not text or not signatures.endswith("\n"):
        raise BadNote("a note is a text, a blank line and signatures, each ending in a newline")
    lines = signatures[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise BadNote("the note has too many signatures")
    return text + "\n", lines


def _signature(line: str) -> tuple[str, bytes, bytes]:
    """(name, key id, signature) of a signature line."""
    name, _, content = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not name or not content:
        raise BadNote("a signature line reads: dash, name, base64")
    raw = decode(content)
    if len(raw) <= _KEY_ID_BYTES:
        raise BadNote("a signature is too short")
    return name, raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:]


def _is_signed(text: str, signature: bytes, key: VerifierKey) -> bool:
    if len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        VerifyKey(key.public_key).verify(text.encode(), signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def encode(data: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes:
    """Standard base64, in its one canonical spelling. Raises BadNote."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote("this is not base64") from error
    if encode(data) != text:
        raise BadNote("this is not the canonical base64")
    return data


def _checked_name(name: str) -> str:
    if not name or "+" in name or any(c.isspace() or ord(c) < 0x20 for c in name):
        raise BadNote("a key's name is not empty and has no space and no plus")
    return name


def _is_clean(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return all(c == "\n" or ord(c) >= 0x20 for c in text)
