"""WeChat Pay v3: how requests are signed, and how answers and callbacks are verified and opened."""

import base64
import binascii
import secrets
from collections.abc import Mapping
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from order import rsa
from order.provider import CallbackRefused

SCHEME = "WECHATPAY2-SHA256-RSA2048"
TOLERANCE_SECONDS = 300
PUBLIC_KEY_PREFIX = "PUB_KEY_ID_"
ALGORITHM = "AEAD_AES_256_GCM"


def request_text(method: str, path: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """What is signed of a request; `path` with its query, an absent body as nothing."""
    return f"{method}\n{path}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def authorization(
    settings: Mapping[str, str], private_key: str, method: str, path: str, body: bytes, now: int
) -> str:
    nonce = secrets.token_hex(16)
    signed = rsa.sign(private_key, request_text(method, path, str(now), nonce, body))
    return (
        f'{SCHEME} mchid="{settings["mchid"]}",nonce_str="{nonce}",timestamp="{now}",'
        f'serial_no="{settings["serial_no"]}",signature="{signed}"'
    )


def platform_keys(settings: Mapping[str, str]) -> dict[str, str]:
    """By the serial that names them: certificates, a public key, or both while one is replaced.

    Raises ValueError.
    """
    keys: dict[str, str] = {}
    if "certificates" in settings:
        keys |= rsa.split_certificates(settings["certificates"])
    if "public_key" in settings:
        keys[settings.get("public_key_id", "")] = settings["public_key"]
    return keys


def verify(
    settings: Mapping[str, str], headers: Mapping[str, str], body: bytes, now: datetime
) -> None:
    """Raises CallbackRefused: `unsigned`, `expired`, `unknown_key`, `forged`."""
    timestamp = headers.get("wechatpay-timestamp", "")
    signature = headers.get("wechatpay-signature", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11 and signature):
        raise CallbackRefused("unsigned")
    key = _named(platform_keys(settings), headers.get("wechatpay-serial", ""))
    if key is None:
        raise CallbackRefused("unknown_key", "add the platform's key to the account")
    text = f"{timestamp}\n{headers.get('wechatpay-nonce', '')}\n".encode() + body + b"\n"
    if not rsa.verifies(key, text, signature):
        raise CallbackRefused("forged")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise CallbackRefused("expired")


def _named(keys: Mapping[str, str], serial: str) -> str | None:
    """A certificate's number may be written byte by byte, with a nought in front."""
    return keys.get(serial) or keys.get(serial.lstrip("0").upper() or serial)


def decrypt(key: str, resource: Mapping[str, object]) -> bytes:
    """The plain text of a callback's resource. Raises CallbackRefused."""
    ciphertext, nonce = resource.get("ciphertext"), resource.get("nonce")
    bound = resource.get("associated_data") or ""
    if not (isinstance(ciphertext, str) and isinstance(nonce, str) and isinstance(bound, str)):
        raise CallbackRefused("malformed")
    if resource.get("algorithm", ALGORITHM) != ALGORITHM:
        raise CallbackRefused("malformed", "an algorithm that is not known")
    try:
        sealed = base64.b64decode(ciphertext, validate=True)
        plain: bytes = AESGCM(key.encode()).decrypt(nonce.encode(), sealed, bound.encode())
    except (binascii.Error, InvalidTag, ValueError) as error:
        raise CallbackRefused("undecryptable", "is the APIv3 key right?") from error
    return plain
