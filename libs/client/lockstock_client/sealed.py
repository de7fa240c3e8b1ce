"""Seals a card file on this machine: what leaves it are boxes for the vault's key, never a code."""

import base64
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from cardfiles.options import Options
from cardfiles.reading import CardFile, Chunk, Rules, open_card_file
from cardfiles.records import REASONS, Record, Rejection, UnreadableFile
from lockstock_client.problems import LockstockError
from lockstock_client.spool import Spool, SpoolState
from lockstock_client.wire import ImportLineJson, PoolJson, SealingKeyJson
from sealing import NONCE_BYTES, Fingerprinter, LotSealer, Secret, SecretTooLong

UNITS_PER_PART = 5_000
PART_CHARACTERS_MAX = 8_000_000
"""A part ends at the first of the two; the vault takes 16 MiB."""

_REASONS = {
    "too_long": REASONS["too_long"],
    "capacity_not_sealed": "may be sold more than once; import such units with --upload-plain",
}

Told = Callable[[int, int], None]
"""Hears (done, of all)."""


def unheard(_: int, __: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class SealedUpload:
    """A file to seal and send. `unit_cost` in minor units; `options` say what is not found out."""

    file: Path
    supplier: str
    unit_cost: int
    currency: str = "CNY"
    expires_at: str | None = None
    note: str | None = None
    is_dry_run: bool = False
    options: Options = field(default_factory=Options)


def seal_file(
    upload: SealedUpload, pool: PoolJson, key: SealingKeyJson, root: Path, told: Told
) -> Spool:
    """Reads, checks and seals every line into a spool. Blocks; raises LockstockError for a file
    that cannot be read as a whole, and leaves nothing behind then.
    """
    lot_id = fresh_id()
    merchant_id, key_id = UUID(key["merchant_id"]), UUID(key["key_id"])
    sealer = LotSealer(base64.b64decode(key["public_key"]), merchant_id, lot_id, key_id)
    rules = Rules(
        kind=pool["unit_kind"],
        currency=upload.currency,
        now=datetime.now(UTC),
        fingerprint=_local_fingerprint(merchant_id),
        expires_at=moment_of(upload.expires_at),
    )
    opening = {
        "supplier": upload.supplier,
        "unit_cost": upload.unit_cost,
        "currency": upload.currency,
        "file_name": upload.file.name,
        "dry_run": upload.is_dry_run,
        "lot_id": str(lot_id),
        "key_id": key["key_id"],
        **({} if upload.note is None else {"note": upload.note}),
    }
    public_key = base64.b64encode(sealer.public_key).decode()
    spool = Spool.make(root, SpoolState(pool["id"], opening, public_key, key=str(uuid4())))
    try:
        card_file = open_card_file(upload.file.read_bytes(), rules, upload.options)
        _Sealing(card_file, spool, sealer).run(told)
    except UnreadableFile as error:
        spool.drop()
        raise LockstockError(f"{upload.file.name}: {error}") from error
    except BaseException:
        spool.drop()
        raise
    return spool


class _Sealing:
    """Fills a spool from a file, chunk by chunk: one chunk of codes is in memory at a time."""

    def __init__(self, card_file: CardFile, spool: Spool, sealer: LotSealer) -> None:
        self._file = card_file
        self._spool = spool
        self._sealer = sealer
        self._units: list[str] = []
        self._characters = 0

    def run(self, told: Told) -> None:
        state = self._spool.state
        for chunk in self._file.chunks():
            self._add(chunk)
            if chunk.records or not state.units:
                self._set_expiry(chunk)
            state.lines_read = chunk.lines_read
            told(chunk.bytes_read or self._file.size_bytes, self._file.size_bytes)
        self._end_part()
        state.is_sealed = True
        self._spool.save()
        told(self._file.size_bytes, self._file.size_bytes)

    def _set_expiry(self, chunk: Chunk) -> None:
        """The same for all chunks with units of one file."""
        opening = self._spool.state.opening
        opening["has_unit_expiry"] = chunk.is_mixed
        opening.pop("expires_at", None)
        if chunk.expires_at is not None and not chunk.is_mixed:
            opening["expires_at"] = chunk.expires_at.isoformat()

    def _add(self, chunk: Chunk) -> None:
        refused = list(chunk.refused)
        for record in chunk.records:
            code = self._seal(record, chunk)
            if code is not None:
                refused.append(Rejection(record.line, code, _REASONS[code]))
        state = self._spool.state
        duplicates = sum(line.code == "duplicate_in_file" for line in refused)
        state.duplicates += duplicates
        state.rejected += len(refused) - duplicates
        self._spool.add_refused([_line(line) for line in refused])

    def _seal(self, record: Record, chunk: Chunk) -> str | None:
        """Why the line is refused after all."""
        if record.capacity != 1:
            return "capacity_not_sealed"
        unit_id, nonce = fresh_id(), os.urandom(NONCE_BYTES)
        secret = Secret(self._file.fields_of(record)).to_json()
        try:
            box = self._sealer.seal(unit_id.bytes, secret, nonce)
        except SecretTooLong:
            return "too_long"
        unit = (
            f'{{"line":{record.line},"unit_id":"{unit_id}",'
            f'"nonce":"{base64.b64encode(nonce).decode()}",'
            f'"ciphertext":"{base64.b64encode(box).decode()}"'
            f"{_own_words(record, chunk)}}}"
        )
        if len(self._units) == UNITS_PER_PART or self._characters + len(unit) > PART_CHARACTERS_MAX:
            self._end_part()
        self._units.append(unit)
        self._characters += len(unit)
        return None

    def _end_part(self) -> None:
        if self._units:
            self._spool.add_part(self._units)
        self._units, self._characters = [], 0


def _own_words(record: Record, chunk: Chunk) -> str:
    cost = "" if record.cost_minor is None else f',"unit_cost":{record.cost_minor}'
    if record.expires_at is None or not chunk.is_mixed:
        return cost
    return f'{cost},"expires_at":"{record.expires_at.isoformat()}"'


def _line(refused: Rejection) -> ImportLineJson:
    return {"line": refused.line, "code": refused.code, "detail": refused.detail}


def _local_fingerprint(merchant_id: UUID) -> Callable[[str, str], bytes]:
    """Finds what stands twice in one file, as the vault would. Its key is made for this run and
    never leaves it, so what it answers is worth nothing to anybody.
    """
    fingerprinter = Fingerprinter(secrets.token_bytes(32), merchant_id)
    return lambda name, value: fingerprinter({name: value})


def moment_of(expires_at: str | None) -> datetime | None:
    """Raises LockstockError for a text that is no moment with a zone."""
    if expires_at is None:
        return None
    try:
        moment = datetime.fromisoformat(expires_at)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except ValueError:
        pass
    raise LockstockError("expires_at is a moment such as 2030-12-31T16:00:00Z")


def fresh_id() -> UUID:
    """A UUIDv7 (RFC 9562): the vault's index of units grows at its end."""
    unix_ms = time.time_ns() // 1_000_000
    chance = int.from_bytes(os.urandom(10), "big")
    high, low = chance >> 68, chance & ((1 << 62) - 1)
    return UUID(int=unix_ms << 80 | 0x7 << 76 | (high & 0xFFF) << 64 | 0b10 << 62 | low)
