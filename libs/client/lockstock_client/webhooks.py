"""Checks that a webhook is from us, new enough, and unchanged (Standard Webhooks 1.0).

The sender signs `{id}.{timestamp}.{body}`: with a shared secret (`whsec_...`, HMAC-SHA256, `v1`) or
with its private key (`v1a`, Ed25519), for which `whpk_...` is enough here.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from lockstock_client.problems import LockstockError

TOLERANCE_SECONDS = 300
BODY_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 20
SECRET_BYTES_MIN = 16
_ED25519_BYTES = 32


class NotGenuine(LockstockError):
    """The webhook is not what its sender signed, or too old; answer 400 and do nothing."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """`id` is the same in every attempt: act once for each. `data` has ids and states only."""

    id: str
    type: str
    timestamp: str
    data: Mapping[str, Any]


class WebhookVerifier:
    """Knows one endpoint's secrets and public keys; several while they are rotated."""

    def __init__(
        self,
        secrets: str | Sequence[str],
        *,
        tolerance_seconds: int = TOLERANCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Raises ValueError for what is no `whsec_` secret and no `whpk_` key."""
        given = [secrets] if isinstance(secrets, str) else list(secrets)
        if not given:
            raise ValueError("at least one secret or public key is needed")
        self._keys = [key_of(text) for text in given]
        self._tolerance_seconds = tolerance_seconds
        self._now = now

    def verify(self, headers: Mapping[str, str], body: bytes) -> Webhook:
        """The event, once it is known to be genuine. Raises NotGenuine."""
        return _webhook(self.check(headers, body), body)

    def check(self, headers: Mapping[str, str], body: bytes) -> str:
        """The webhook's id. `body` as it came, to the byte. Raises NotGenuine."""
        if len(body) > BODY_BYTES_MAX:
            raise NotGenuine(f"the body has more than {BODY_BYTES_MAX} bytes")
        found = {name.lower(): value for name, value in headers.items()}
        message_id, timestamp = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
        if not message_id or "." in message_id:
            raise NotGenuine("the webhook-id is missing or malformed")
        self._require_new(timestamp)
        signed = f"{message_id}.{timestamp}.".encode() + body
        if not self._is_signed(signed, found.get("webhook-signature", "")):
            raise NotGenuine("no signature is by a key of this endpoint")
        return message_id

    def _require_new(self, timestamp: str) -> None:
        if not timestamp.isascii() or not timestamp.isdecimal() or len(timestamp) > 12:
            raise NotGenuine("the webhook-timestamp is no number of seconds")
        if abs(self._now() - int(timestamp)) > self._tolerance_seconds:
            raise NotGenuine("the webhook-timestamp is too far from now")

    def _is_signed(self, signed: bytes, signatures: str) -> bool:
        for each in signatures.split(" ")[:SIGNATURES_MAX]:
            version, _, text = each.partition(",")
            signature = _decoded(text)
            if signature and any(key(version, signed, signature) for key in self._keys):
                return True
        return False


Key = Callable[[str, bytes, bytes], bool]
"""(version, signed text, signature) -> whether it is this key's."""


def key_of(text: str) -> Key:
    """Raises ValueError."""
    kind, _, rest = text.strip().rpartition("_")
    secret = _decoded(rest)
    if kind == "whpk":
        if len(secret) != _ED25519_BYTES:
            raise ValueError("a whpk_ key has 32 bytes in base64")
        return _public(VerifyKey(secret))
    if kind not in ("whsec", "") or len(secret) < SECRET_BYTES_MIN:
        raise ValueError("a secret is whsec_ and at least 16 bytes in base64")
    return _shared(secret)


def _shared(secret: bytes) -> Key:
    def is_by_it(version: str, signed: bytes, signature: bytes) -> bool:
        expected = hmac.new(secret, signed, hashlib.sha256).digest()
        return version == "v1" and hmac.compare_digest(expected, signature)

    return is_by_it


def _public(key: VerifyKey) -> Key:
    def is_by_it(version: str, signed: bytes, signature: bytes) -> bool:
        if version != "v1a":
            return False
        try:
            key.verify(signed, signature)
        except (BadSignatureError, ValueError):
            return False
        return True

    return is_by_it


def _decoded(text: str) -> bytes:
    """Base64 with or without its padding; nothing when it is none."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _webhook(message_id: str, body: bytes) -> Webhook:
    try:
        document = json.loads(body)
        return Webhook(message_id, document["type"], document["timestamp"], document["data"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotGenuine("the body is no event") from error
