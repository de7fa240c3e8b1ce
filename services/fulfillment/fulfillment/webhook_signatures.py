"""Standard Webhooks 1.0: `{id}.{timestamp}.{body}`, signed with a shared secret (`v1`, HMAC-SHA256)
or with a private key (`v1a`, Ed25519). While a key is replaced, both sign.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_BYTES = 32


class Scheme(StrEnum):
    HMAC = "v1"
    ED25519 = "v1a"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`raw`: the shared secret, or the seed of the private key."""

    scheme: Scheme
    raw: bytes = field(repr=False)

    @property
    def secret_text(self) -> str:
        """What the receiver of `v1` must know."""
        return "whsec_" + base64.b64encode(self.raw).decode()

    @property
    def public_text(self) -> str | None:
        """What the receiver of `v1a` must know; nothing is public about a shared secret."""
        if self.scheme is Scheme.HMAC:
            return None
        public = Ed25519PrivateKey.from_private_bytes(self.raw).public_key()
        return "whpk_" + base64.b64encode(public.public_bytes_raw()).decode()

    def sign(self, signed: bytes) -> str:
        """One entry of `webhook-signature`."""
        if self.scheme is Scheme.HMAC:
            made = hmac.new(self.raw, signed, hashlib.sha256).digest()
        else:
            made = Ed25519PrivateKey.from_private_bytes(self.raw).sign(signed)
        return f"{self.scheme.value},{base64.b64encode(made).decode()}"


def new_key(scheme: Scheme) -> SigningKey:
    return SigningKey(scheme, secrets.token_bytes(SECRET_BYTES))


def signed_headers(
    keys: Sequence[SigningKey], message_id: str, timestamp: int, body: bytes
) -> Mapping[str, str]:
    """The headers of one attempt: the id is the event's, the time is the attempt's."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(key.sign(signed) for key in keys),
    }
