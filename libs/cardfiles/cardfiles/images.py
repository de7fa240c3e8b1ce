"""Images as units: checked by their first bytes, kept as a data URI."""

import base64
import binascii
import re

IMAGE_URI_MAX = 65_000
"""Characters: what fits into a box, some 48 kB of image."""

_URI = re.compile(r"^data:image/[a-z+.-]+;base64,", re.IGNORECASE)


def image_type(content: bytes) -> str | None:
    """The media type by the first bytes; None for what is no image a browser shows."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def data_uri(text: str) -> str | None:
    """Base64 or a data URI as the data URI that is kept; None for anything else. The type is that
    of the content, whatever the text says of it.
    """
    found = _URI.match(text)
    encoded = "".join(text[found.end() :].split()) if found else "".join(text.split())
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    media_type = image_type(content)
    if media_type is None:
        return None
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
