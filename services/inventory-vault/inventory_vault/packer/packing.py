"""Chunks of good lines into chunks of rows. The code leaves clear text here, for good."""

import json
from array import array
from collections.abc import Callable, Iterator
from datetime import datetime

from cardfiles.reading import CardFile, Chunk, open_card_file
from inventory_vault.packer.job import Opened, PackedChunk, PackJob, micros
from inventory_vault.packer.rows import Nonces, Tails, UnitIds
from sealing import FINGERPRINT_BYTES, Fingerprinter, LotSealer, mask_of, mask_text


def pack(job: PackJob, data: bytes) -> Iterator[Opened | PackedChunk]:
    """First what the file is, then its chunks. Raises UnreadableFile, SecretTooLong."""
    fingerprinter = Fingerprinter(job.fingerprint_key, job.merchant_id)
    file = open_card_file(data, job.rules(fingerprinter), job.options)
    target = job.target
    if target is None:
        yield Opened(file.encoding, file.separator, b"")
    else:
        sealer = LotSealer(target.public_key, target.merchant_id, target.lot_id, target.key_id)
        yield Opened(file.encoding, file.separator, sealer.public_key)
        press = _Press(file, fingerprinter, sealer, Tails(target.merchant_id, target.seal_no))
    for chunk in file.chunks():
        if chunk.number <= job.skip:
            continue
        packed = _begun(chunk)
        _add_differences(packed, chunk, job.unit_cost_minor)
        if target is not None:
            press.add_rows(packed, chunk, job.unit_cost_minor)
        yield packed


def _begun(chunk: Chunk) -> PackedChunk:
    """Fingerprints and marks came together, see `PackJob.rules`."""
    records = chunk.records
    return PackedChunk(
        number=chunk.number,
        lines_read=chunk.lines_read,
        bytes_read=chunk.bytes_read,
        is_mixed=chunk.is_mixed,
        expires_at_micros=None if chunk.expires_at is None else micros(chunk.expires_at),
        refused=[(line.line, line.code) for line in chunk.refused],
        lines=array("I", [record.line for record in records]).tobytes(),
        fingerprints=b"".join([record.fingerprint[:FINGERPRINT_BYTES] for record in records]),
        marks=b"".join([record.fingerprint[FINGERPRINT_BYTES:] for record in records]),
    )


def _add_differences(packed: PackedChunk, chunk: Chunk, unit_cost_minor: int) -> None:
    """What only some files have: capacities, costs and expiries by line."""
    records = chunk.records
    if any(record.capacity != 1 for record in records):
        packed.capacities = array("I", [record.capacity for record in records]).tobytes()
    if any(record.cost_minor is not None for record in records):
        costs = [unit_cost_minor if r.cost_minor is None else r.cost_minor for r in records]
        packed.costs = array("q", costs).tobytes()
    if chunk.is_mixed:
        packed.expiries = array("q", [_micros_or_zero(r.expires_at) for r in records]).tobytes()


class _Press:
    """Seals records into rows of one lot."""

    def __init__(
        self, file: CardFile, fingerprinter: Fingerprinter, sealer: LotSealer, tails: Tails
    ) -> None:
        self._fields = file.fields
        self._fingerprinter = fingerprinter
        self._seal = sealer.seal
        self._tail = tails.make
        self._mask = _mask_by_field(file.fields[0])
        self._unit_ids = UnitIds()
        self._nonces = Nonces()

    def add_rows(self, packed: PackedChunk, chunk: Chunk, unit_cost_minor: int) -> None:
        rows = packed.rows
        fields, single = self._fields, len(self._fields) == 1
        seal, tail = self._seal, self._tail
        next_id, next_nonce = self._unit_ids.next, self._nonces.next
        is_mixed = chunk.is_mixed
        for record in chunk.records:
            values, own_cost = record.values, record.cost_minor
            secret = _one_field(fields[0], values[0]) if single else _two_fields(fields, values)
            mask = self._mask(values[0]).encode()
            fingerprint = record.fingerprint[:FINGERPRINT_BYTES]
            mark = record.fingerprint[FINGERPRINT_BYTES:]
            cost = None if own_cost == unit_cost_minor else own_cost
            expires = None
            if is_mixed and record.expires_at is not None:
                expires = micros(record.expires_at)
            for slot in range(1, record.capacity + 1):
                if slot > 1:
                    fingerprint = self._fingerprinter.of_slot(fields[0], values[0], slot)
                unit_id, nonce = next_id(), next_nonce()
                box = seal(unit_id, secret, nonce)
                rows.append(tail(unit_id, nonce, fingerprint, mark, cost, expires, mask, box))


def _mask_by_field(name: str) -> Callable[[str], str]:
    """`mask_of` of the identifying field; without a dictionary for the kinds that come by the
    million.
    """
    if name in ("number", "code"):
        return mask_text
    return lambda value: mask_of({name: value})


def _one_field(name: str, value: str) -> bytes:
    """The bytes of `Secret.to_json`; by hand where nothing needs escaping."""
    if '"' in value or "\\" in value or not value.isprintable():
        return _json({name: value})
    return f'{{"{name}":"{value}"}}'.encode()


def _two_fields(names: tuple[str, ...], values: tuple[str, ...]) -> bytes:
    both = values[0] + values[1]
    if len(values) != 2 or '"' in both or "\\" in both or not both.isprintable():
        return _json(dict(zip(names, values, strict=True)))
    return f'{{"{names[0]}":"{values[0]}","{names[1]}":"{values[1]}"}}'.encode()


def _json(fields: dict[str, str]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _micros_or_zero(at: datetime | None) -> int:
    return 0 if at is None else micros(at)
