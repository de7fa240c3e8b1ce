"""`Stripe-Signature`: `t=<unix>,v1=<hex>[,v1=...]`, HMAC-SHA256 over `{t}.{raw body}`.

The key is the endpoint's secret as text, its `whsec_` included. Other schemes are not looked at.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from order.provider import CallbackRefused

TOLERANCE_SECONDS = 300
_SIGNATURES_MAX = 10


def verify(header: str, body: bytes, secrets: Sequence[str], now: datetime) -> None:
    """Any of the secrets, any of the signatures: so that secrets can be changed without a gap.

    Raises CallbackRefused: `unsigned`, `forged`, `expired`.
    """
    timestamp, given = _parts(header)
    if not secrets or not any(
        hmac.compare_digest(sign(secret, timestamp, body), signature)
        for secret in secrets
        for signature in given
    ):
        raise CallbackRefused("forged")
    if int(timestamp) < now.timestamp() - TOLERANCE_SECONDS:
        raise CallbackRefused("expired")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    signed = timestamp.encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _parts(header: str) -> tuple[str, list[str]]:
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1" and value.isascii()]
    # Seconds have ten digits until the year 2286; milliseconds have thirteen.
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 11:
        raise CallbackRefused("unsigned", "the signature names no time")
    if not given or len(given) > _SIGNATURES_MAX:
        raise CallbackRefused("unsigned")
    return times[0], given
