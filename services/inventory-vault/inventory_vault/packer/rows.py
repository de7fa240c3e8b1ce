"""Rows of `unit` in PostgreSQL's binary COPY format: made here, only passed on after that.

A row is <head: field count, lot> <seq> <tail>. The number of a unit is known only when the vault
has said which lines it holds already, so the packer makes tails and `payload` puts them together.
"""

import os
import struct
import time
from array import array
from collections.abc import Iterator, Sequence
from uuid import UUID

from sealing import NONCE_BYTES

COLUMNS = (
    "lot_id",
    "seq",
    "seal_no",
    "merchant_id",
    "unit_id",
    "nonce",
    "fingerprint",
    "mark",
    "unit_cost",
    "expires_at",
    "mask",
    "box",
)
ROWS_PER_PART = 1_000
"""What goes to the socket at once: the event loop looks around in between."""

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_NULL = struct.pack(">i", -1)
_SIZE = struct.Struct(">i")
_BIGINT = struct.Struct(">iq")
_NONCE, _FINGERPRINT, _MARK = (struct.pack(">i", size) for size in (NONCE_BYTES, 16, 8))
# PostgreSQL counts microseconds from 2000-01-01.
_POSTGRES_EPOCH_MICROS = 946_684_800_000_000
_IDS_AT_ONCE = 4_096


class Tails:
    """Makes the tails of one lot's rows."""

    def __init__(self, merchant_id: UUID, seal_no: int) -> None:
        self._begin = struct.pack(">ihi16si", 2, seal_no, 16, merchant_id.bytes, 16)

    def make(
        self,
        unit_id: bytes,
        nonce: bytes,
        fingerprint: bytes,
        mark: bytes,
        cost_minor: int | None,
        expires_micros: int | None,
        mask: bytes,
        box: bytes,
    ) -> bytes:
        """`cost_minor`, `expires_micros`: None where the lot's own hold."""
        return b"".join(
            (
                self._begin,
                unit_id,
                _NONCE,
                nonce,
                _FINGERPRINT,
                fingerprint,
                _MARK,
                mark,
                _NULL if cost_minor is None else _BIGINT.pack(8, cost_minor),
                _NULL
                if expires_micros is None
                else _BIGINT.pack(8, expires_micros - _POSTGRES_EPOCH_MICROS),
                _SIZE.pack(len(mask)),
                mask,
                _SIZE.pack(len(box)),
                box,
            )
        )


def payload(lot_id: UUID, first_seq: int, tails: Sequence[bytes]) -> Iterator[bytes]:
    """What COPY takes: `tails` numbered from `first_seq`."""
    head = struct.pack(">hi16si", len(COLUMNS), 16, lot_id.bytes, 4)
    yield _SIGNATURE
    for start in range(0, len(tails), ROWS_PER_PART):
        part = tails[start : start + ROWS_PER_PART]
        pieces: list[bytes] = [b""] * (2 * len(part))
        first = first_seq + start
        pieces[0::2] = [head + _SIZE.pack(seq) for seq in range(first, first + len(part))]
        pieces[1::2] = part
        yield b"".join(pieces)
    yield _END


class UnitIds:
    """UUIDv7 as bytes, ascending, 62 random bits each: a tenth of the cost of `kit.ids.new_id`.

    The twelve bits after the version count within a millisecond (RFC 9562, 6.2, method 1).
    """

    def __init__(self) -> None:
        self._pool: list[bytes] = []
        self._last_ms = 0

    def next(self) -> bytes:
        if not self._pool:
            self._fill()
        return self._pool.pop()

    def _fill(self) -> None:
        ms = max(time.time_ns() // 1_000_000, self._last_ms + 1)
        self._last_ms = ms
        high = (ms << 16) | 0x7000
        random = array("Q", os.urandom(8 * _IDS_AT_ONCE))
        pack = struct.Struct(">QQ").pack
        variant = 1 << 63
        self._pool = [
            pack(high | count, variant | (bits >> 2)) for count, bits in enumerate(random)
        ]
        self._pool.reverse()


class Nonces:
    """Random nonces, many per call of the system."""

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0

    def next(self) -> bytes:
        at = self._at
        if at == len(self._pool):
            self._pool, at = os.urandom(NONCE_BYTES * _IDS_AT_ONCE), 0
        self._at = at + NONCE_BYTES
        return self._pool[at : at + NONCE_BYTES]
