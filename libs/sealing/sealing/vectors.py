"""Test vectors of LS1: `python -m sealing.vectors > vectors.json`. Fixed keys; for tests only."""

import json
import sys
from typing import Any
from uuid import UUID

import nacl.bindings as sodium

from sealing.box import HEADER_BYTES, PADDING_BYTES, Box, BoxOpener, Header, _pad, _shared_key
from sealing.fingerprint import Fingerprinter
from sealing.mask import mask_of
from sealing.secret import Secret

_MERCHANT = UUID("0193a3f0-0000-7000-8000-000000000001")
_LOT = UUID("0193a3f0-0000-7000-8000-0000000000a1")
_KEY = UUID("0193a3f0-0000-7000-8000-0000000000c1")
_FINGERPRINT_KEY = bytes(range(100, 132))
_RECIPIENT = bytes(range(1, 33))
_SENDER = bytes(range(33, 65))

_SECRETS: tuple[dict[str, str], ...] = (
    {"number": "8877893287921742", "password": "74TWC2654EH3"},
    {"code": "REAL2-FFV8C-PSW7W"},
    {"url": "https://q.example/ELYWWN57XA?a=0,b"},
    {"code": "中文－ＣＯＤＥ １２"},
    {"code": "x" * 176},
    {"code": "x" * 177},
)
"""The last two lie on both sides of the padding's edge: one block and two."""


def vectors() -> dict[str, Any]:
    recipient_public = sodium.crypto_scalarmult_base(_RECIPIENT)
    sender_public = sodium.crypto_scalarmult_base(_SENDER)
    shared = _shared_key(recipient_public, _SENDER)
    return {
        "format": "LS1",
        "header_bytes": HEADER_BYTES,
        "padding_bytes": PADDING_BYTES,
        "recipient_private_key": _RECIPIENT.hex(),
        "recipient_public_key": recipient_public.hex(),
        "sender_private_key": _SENDER.hex(),
        "sender_public_key": sender_public.hex(),
        "fingerprint_key": _FINGERPRINT_KEY.hex(),
        "units": [
            _unit(number, fields, sender_public, shared) for number, fields in enumerate(_SECRETS)
        ],
    }


def _unit(number: int, fields: dict[str, str], sender: bytes, shared: bytes) -> dict[str, Any]:
    header = Header(_MERCHANT, _LOT, UUID(int=_LOT.int + 16 + number), _KEY)
    plaintext = _pad(header.to_bytes() + Secret(fields).to_json())
    nonce = bytes([number]) * 24
    ciphertext = sodium.crypto_box_easy_afternm(plaintext, nonce, shared)
    opened = BoxOpener(_RECIPIENT).open(Box(sender, nonce, ciphertext), header)
    assert opened.secret() == Secret(fields)
    return {
        "merchant_id": str(header.merchant_id),
        "lot_id": str(header.lot_id),
        "unit_id": str(header.unit_id),
        "key_id": str(header.key_id),
        "fields": fields,
        "nonce": nonce.hex(),
        "plaintext": plaintext.hex(),
        "ciphertext": ciphertext.hex(),
        "fingerprint": Fingerprinter(_FINGERPRINT_KEY, _MERCHANT)(fields).hex(),
        "mask": mask_of(fields),
    }


if __name__ == "__main__":
    json.dump(vectors(), sys.stdout, indent=1, ensure_ascii=True)
    sys.stdout.write("\n")
