"""What may be shown of a code to anybody: enough to recognise it, too little to use it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

LENGTH_SHOWN_MIN = 10
"""Shorter codes are masked wholly: four of eight characters would be half the secret."""

HIDDEN = "****"


def mask_of(fields: Mapping[str, str]) -> str:
    """`12****89` of a card's number or a code, the host of a link, `image` of an image."""
    if "url" in fields:
        return _mask_link(fields["url"])
    if "image" in fields:
        return f"image {HIDDEN}"
    return mask_text(fields.get("number") or fields.get("code") or "")


def mask_text(value: str) -> str:
    if len(value) < LENGTH_SHOWN_MIN:
        return HIDDEN
    return f"{value[:2]}{HIDDEN}{value[-2:]}"


def _mask_link(url: str) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    # Some suppliers give every card a host of its own: a long label may be the secret.
    if not host or max(len(label) for label in host.split(".")) > 20:
        return f"https://{HIDDEN}"
    return f"https://{host}/{HIDDEN}"
