"""Statements that others send as files: told apart by a digest, their cells read exactly."""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import BinaryIO

_PIECE_BYTES = 1_048_576
_MINOR_MAX = 10**13
_GROUPED = re.compile(r"[+-]?\d+(,\d{2,4})*,\d{3,4}(\.\d*)?")
"""Whole digits in groups. A comma before one or two digits is somebody's decimal comma."""


def digest_of(sender: str, reading: bytes, file: BinaryIO) -> bytes:
    """The same file, read in the same way, of the same sender, is the same statement."""
    digest = hashlib.blake2b(sender.encode() + b"\0" + reading + b"\0", digest_size=32)
    for piece in pieces_of(file):
        digest.update(piece)
    return digest.digest()


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    """The whole file; then it stands at its beginning again."""
    file.seek(0)
    try:
        while piece := file.read(_PIECE_BYTES):
            yield piece
    finally:
        file.seek(0)


def minor_of(written: str, decimals: int) -> int | None:
    """An amount with so many decimals, exactly, in minor units; None for what is none. Commas part
    groups of digits, never decimals.
    """
    if "_" in written or ("," in written and not _GROUPED.fullmatch(written)):
        return None
    try:
        minor = Decimal(written.replace(",", "")).scaleb(decimals)
    except ArithmeticError:
        return None
    # The bound comes first: `1e999999` as a whole number has a million digits.
    if not minor.is_finite() or abs(minor) > _MINOR_MAX or minor != int(minor):
        return None
    return int(minor)


def moment_of(written: str) -> datetime | None:
    """A time without a zone is UTC; None for what is none."""
    try:
        moment = datetime.fromisoformat(written.replace("/", "-"))
    except ValueError:
        return None
    if not 2000 <= moment.year <= 2200:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
