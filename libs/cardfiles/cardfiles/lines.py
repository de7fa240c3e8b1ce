"""Bytes as lines: which encoding, and where each line stands, without decoding the whole file."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from cardfiles.options import ENCODINGS
from cardfiles.records import UnreadableFile

BLOCK_BYTES = 262_144
_MARK = "\ufeff"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_DAMAGED = "\ufffd".encode()


@dataclass(frozen=True, slots=True)
class Lines:
    """A text file. `codec` decodes one line of `data`; `encoding` is the name for people."""

    data: bytes
    codec: str
    encoding: str

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """(where it begins, line without its newline). \\n and \\r\\n end a line."""
        data, position = self.data, 0
        while position < len(data):
            end = data.rfind(b"\n", position, position + BLOCK_BYTES)
            if end < 0:
                end = data.find(b"\n", position)
            if end < 0:
                end = len(data)
            for raw in data[position:end].split(b"\n"):
                yield position, raw
                position += len(raw) + 1

    @property
    def mark(self) -> bytes:
        """The byte order mark, which stands amid a file where another one was put behind it: no
        part of the line it begins. Empty where the encoding has none.
        """
        try:
            return _MARK.encode(self.codec)
        except UnicodeEncodeError:
            return b""

    def sample(self, size: int) -> str:
        """The beginning, as well as it can be read."""
        return self.data[:size].decode(self.codec, errors="replace").lstrip(_MARK)


def open_lines(data: bytes, wanted: str | None) -> Lines:
    """Raises UnreadableFile when most lines are no text in the encoding, named or found."""
    if wanted is not None and wanted not in ENCODINGS:
        raise UnreadableFile(f"the encoding is one of {', '.join(ENCODINGS)}")
    if wanted in (None, "utf-8") and data.startswith(_UTF8_BOM):
        return _checked(data[len(_UTF8_BOM) :], "utf-8", "utf-8-sig")
    if wanted == "utf-16" or (wanted is None and data.startswith(_UTF16_BOMS)):
        # Two bytes a character: lines are found after turning it into UTF-8.
        text = data.decode("utf-16", errors="replace")
        return _checked(text.encode("utf-8", errors="replace"), "utf-8", "utf-16")
    if wanted is None:
        return _found(data)
    return _checked(data, wanted, wanted)


def decode(raw: bytes, codec: str) -> str | None:
    """None for what is no text, or was damaged before it came here."""
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        return None


def _found(data: bytes) -> Lines:
    """UTF-8 is tried first: what is valid UTF-8 is hardly ever anything else, while GB18030 accepts
    nearly all bytes. Where neither fits wholly, the one that reads more lines does.
    """
    for codec in ("utf-8", "gb18030"):
        if _is_valid(data, codec) and not (codec == "gb18030" and _is_mostly_utf8(data)):
            return _with_newlines(data, codec, codec)
    as_utf8, as_gb = _bad_lines(data, "utf-8"), _bad_lines(data, "gb18030")
    codec = "utf-8" if _is_mostly_utf8(data) or as_utf8 <= as_gb else "gb18030"
    if 2 * min(as_utf8, as_gb) > _line_count(data):
        raise UnreadableFile("the file is neither UTF-8 nor GB18030 (GBK); save it as UTF-8")
    return _with_newlines(data, codec, codec)


def _checked(data: bytes, codec: str, name: str) -> Lines:
    damaged = data.count(_DAMAGED) if name == "utf-16" else 0
    if not damaged and _is_valid(data, codec):
        return _with_newlines(data, codec, name)
    if 2 * max(_bad_lines(data, codec), damaged) > _line_count(data):
        raise UnreadableFile(f"most lines are no text in {name}; name another encoding")
    return _with_newlines(data, codec, name)


def _with_newlines(data: bytes, codec: str, name: str) -> Lines:
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    return Lines(data, codec, name)


def _is_valid(data: bytes, codec: str) -> bool:
    if data.isascii():
        return True
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        for start in range(0, len(data), BLOCK_BYTES):
            decoder.decode(data[start : start + BLOCK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_mostly_utf8(data: bytes) -> bool:
    """Of the lines that say anything about it, more are UTF-8 than are not."""
    telling = [raw for raw in data.split(b"\n") if not raw.isascii()]
    good = sum(decode(raw, "utf-8") is not None for raw in telling)
    return 2 * good > len(telling)


def _bad_lines(data: bytes, codec: str) -> int:
    return sum(decode(raw, codec) is None for raw in data.split(b"\n"))


def _line_count(data: bytes) -> int:
    return sum(bool(raw.strip()) for raw in data.split(b"\n"))
