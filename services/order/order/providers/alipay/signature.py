"""Alipay RSA2: the string that is signed of a request, of a notice and of an answer."""

import json
from collections.abc import Mapping

from order import rsa

_ENDLESS_DEPTH = (RecursionError, ValueError)


def request_text(fields: Mapping[str, str]) -> bytes:
    """Sorted `k=v` joined by `&`; the signature itself and what is empty are left out."""
    return _joined(fields, frozenset({"sign"}))


def notice_text(fields: Mapping[str, str]) -> bytes:
    """As of a request; a notice's `sign_type` is not signed either."""
    return _joined(fields, frozenset({"sign", "sign_type"}))


def signed(fields: Mapping[str, str], private_key: str) -> dict[str, str]:
    return {**fields, "sign": rsa.sign(private_key, request_text(fields))}


def answer_part(text: str, node: str) -> str | None:
    """The text of a member of the answer, byte for byte: that is what is signed."""
    place = text.find(f'"{node}"')
    start = text.find(":", place + len(node) + 2) + 1 if place >= 0 else 0
    if start == 0:
        return None
    while start < len(text) and text[start].isspace():
        start += 1
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except _ENDLESS_DEPTH:
        return None
    return text[start:end]


def _joined(fields: Mapping[str, str], without: frozenset[str]) -> bytes:
    pairs = sorted((name, value) for name, value in fields.items() if value != "")
    return "&".join(f"{name}={value}" for name, value in pairs if name not in without).encode()
