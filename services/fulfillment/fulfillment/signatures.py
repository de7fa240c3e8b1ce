"""How suppliers and buyers of ours sign: a template over what is signed, and a digest of it.

One recipe says any of the usual families. What is signed is put together as bytes, so that a body
is signed as it travelled; signatures are compared in constant time.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from kit.rsa_keys import read_private_key, read_public_key

_PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")


class Digest(StrEnum):
    MD5 = "md5"
    SHA256 = "sha256"
    HMAC_MD5 = "hmac-md5"
    HMAC_SHA1 = "hmac-sha1"
    HMAC_SHA256 = "hmac-sha256"
    RSA_SHA256 = "rsa-sha256"  # PKCS#1 v1.5; the secret is a PEM: private to sign, public to check
    STATIC = "static"  # the text itself, such as `Bearer {secret}`


class Output(StrEnum):
    HEX = "hex"
    HEX_UPPER = "hex-upper"
    BASE64 = "base64"


class SecretAs(StrEnum):
    """What the secret's text stands for where it keys an HMAC."""

    TEXT = "text"
    HEX = "hex"
    BASE64 = "base64"
    WHSEC = "whsec"  # base64 after `whsec_`


@dataclass(frozen=True, slots=True)
class Recipe:
    """`template` may name: `secret`; `body`, `body_md5`, `characters` (of the body, sorted);
    `pairs` (fields as key and value, sorted by key), `query` (the same as `k=v&k=v`),
    `filled_query` (without empty values); and whatever the caller names, such as `ts`.
    """

    template: str
    digest: Digest
    output: Output = Output.HEX
    charset: str = "utf-8"
    secret_as: SecretAs = SecretAs.TEXT


WRAPPED_PAIRS = Recipe("{secret}{pairs}{secret}", Digest.MD5)
KEYED_PAIRS = Recipe("{pairs}", Digest.HMAC_SHA256, Output.HEX_UPPER)
WRAPPED_AND_KEYED = Recipe("{secret}{pairs}{secret}", Digest.HMAC_SHA256)
QUERY_AND_KEY = Recipe("{filled_query}&key={secret}", Digest.MD5)
WRAPPED_QUERY = Recipe("{secret}{query}{secret}", Digest.MD5, Output.HEX_UPPER)
SORTED_CHARACTERS = Recipe("{characters}{secret}", Digest.MD5)
ACCOUNT_AND_BODY = Recipe("{account}{body}{secret}", Digest.MD5)
BODY = Recipe("{body}", Digest.HMAC_SHA256)
TIME_AND_BODY = Recipe("{ts}.{body}", Digest.HMAC_SHA256)
REQUEST_LINES = Recipe("{method}\n{path}\n{ts}\n{body_md5}", Digest.HMAC_SHA256)
LINES_BY_RSA = Recipe("{ts}\n{id}\n{body}\n", Digest.RSA_SHA256, Output.BASE64)
QUERY_BY_RSA = Recipe("{filled_query}", Digest.RSA_SHA256, Output.BASE64)


@dataclass(frozen=True, slots=True)
class Material:
    """What is signed, without the signature; `named` are the template's further words."""

    body: bytes = field(default=b"", repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    named: Mapping[str, str] = field(default_factory=dict, repr=False)


def words_of(template: str) -> frozenset[str]:
    """What a template names."""
    return frozenset(_PLACEHOLDER.findall(template))


OWN_WORDS = frozenset(
    {"secret", "body", "body_md5", "characters", "pairs", "query", "filled_query"}
)


def sign(recipe: Recipe, secret: str, material: Material) -> str:
    """Raises ValueError for a secret or a word that the recipe cannot use."""
    message = _message(recipe, secret, material)
    match recipe.digest:
        case Digest.STATIC:
            return message.decode(recipe.charset)
        case Digest.RSA_SHA256:
            key = _private_key(secret)
            return _shown(key.sign(message, padding.PKCS1v15(), hashes.SHA256()), recipe.output)
        case Digest.MD5:
            # The vendors' choice, not ours.
            return _shown(hashlib.md5(message).digest(), recipe.output)  # noqa: S324
        case Digest.SHA256:
            return _shown(hashlib.sha256(message).digest(), recipe.output)
        case Digest.HMAC_MD5 | Digest.HMAC_SHA1 | Digest.HMAC_SHA256:
            name = recipe.digest.removeprefix("hmac-")
            made = hmac.new(_key(secret, recipe.secret_as), message, name).digest()
            return _shown(made, recipe.output)
        case _:
            assert_never(recipe.digest)


def verifies(recipe: Recipe, secret: str, material: Material, given: str) -> bool:
    """Whether `given` is the signature of just this; never raises for what was given."""
    try:
        if recipe.digest is Digest.RSA_SHA256:
            message = _message(recipe, secret, material)
            public = _public_key(secret)
            public.verify(_unshown(given, recipe.output), message, padding.PKCS1v15(), _SHA256)
            return True
        expected = sign(recipe, secret, material)
    except (InvalidSignature, ValueError, LookupError):
        return False
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def joined_query(fields: Mapping[str, str], *, filled: bool = False) -> str:
    """`k=v&k=v`, sorted by key, values as they are; `filled` leaves out empty ones."""
    chosen = sorted(fields.items())
    return "&".join(f"{name}={value}" for name, value in chosen if value or not filled)


def md5_hex(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()  # noqa: S324 - the vendors' choice, not ours


def _message(recipe: Recipe, secret: str, material: Material) -> bytes:
    charset = recipe.charset

    def word(name: str) -> bytes:
        if name in material.named:
            return material.named[name].encode(charset)
        if name not in OWN_WORDS:
            raise ValueError(f"nothing is called {name} here")
        return _OWN[name](material, secret, charset)

    message, place = b"", 0
    for found in _PLACEHOLDER.finditer(recipe.template):
        message += recipe.template[place : found.start()].encode(charset) + word(found.group(1))
        place = found.end()
    return message + recipe.template[place:].encode(charset)


def _pairs(material: Material, _: str, charset: str) -> bytes:
    together = "".join(name + value for name, value in sorted(material.fields.items()))
    return together.encode(charset)


_OWN: Mapping[str, Callable[[Material, str, str], bytes]] = {
    "secret": lambda _, secret, charset: secret.encode(charset),
    "body": lambda material, _, __: material.body,
    "body_md5": lambda material, _, __: md5_hex(material.body).encode(),
    # By code point, as Python sorts; see the connectors for what lies beyond the basic plane.
    "characters": lambda material, _, charset: "".join(
        sorted(material.body.decode(charset))
    ).encode(charset),
    "pairs": _pairs,
    "query": lambda material, _, charset: joined_query(material.fields).encode(charset),
    "filled_query": lambda material, _, charset: joined_query(material.fields, filled=True).encode(
        charset
    ),
}
_SHA256 = hashes.SHA256()


def _shown(made: bytes, output: Output) -> str:
    match output:
        case Output.HEX:
            return made.hex()
        case Output.HEX_UPPER:
            return made.hex().upper()
        case Output.BASE64:
            return base64.b64encode(made).decode()
        case _:
            assert_never(output)


def _unshown(given: str, output: Output) -> bytes:
    try:
        if output is Output.BASE64:
            return base64.b64decode(given, validate=True)
        return bytes.fromhex(given)
    except binascii.Error as error:
        raise ValueError("not so encoded") from error


def _key(secret: str, secret_as: SecretAs) -> bytes:
    match secret_as:
        case SecretAs.TEXT:
            return secret.encode()
        case SecretAs.HEX:
            return bytes.fromhex(secret)
        case SecretAs.BASE64:
            return base64.b64decode(secret, validate=True)
        case SecretAs.WHSEC:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        case _:
            assert_never(secret_as)


# Reading a key takes longer than signing with it.
_private_key = lru_cache(maxsize=64)(read_private_key)
_public_key = lru_cache(maxsize=64)(read_public_key)
