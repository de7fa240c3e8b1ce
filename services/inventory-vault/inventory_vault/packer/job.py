"""What the packer is told, and what it answers."""

from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from cardfiles.options import Options
from cardfiles.reading import Rules
from sealing import FINGERPRINT_BYTES, MARK_BYTES, Fingerprinter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Parcel:
    """An upload's bytes until somebody takes them, so that they are held once. Codes in clear."""

    data: bytes

    def take(self) -> bytes:
        data, self.data = self.data, b""
        return data

    def __repr__(self) -> str:
        return f"Parcel({len(self.data)} bytes)"


@dataclass(frozen=True, slots=True)
class Target:
    """Whose units these become, and which key of the vault they are sealed for."""

    merchant_id: UUID
    lot_id: UUID
    seal_no: int
    key_id: UUID
    public_key: bytes


@dataclass(frozen=True, slots=True)
class PackJob:
    """How to read a file; `target` is None for a dry run. Chunks up to `skip` were stored before.

    `unit_cost_minor` is what a line costs that does not say it.
    """

    merchant_id: UUID
    kind: str
    currency: str
    unit_cost_minor: int
    now: datetime
    expires_at: datetime | None
    options: Options
    skip: int
    target: Target | None
    fingerprint_key: bytes = field(repr=False)

    def rules(self, fingerprinter: Fingerprinter) -> Rules:
        return Rules(self.kind, self.currency, self.now, fingerprinter.with_mark, self.expires_at)

    def to_message(self) -> dict[str, Any]:
        target = self.target
        return {
            "merchant": self.merchant_id.bytes,
            "kind": self.kind,
            "currency": self.currency,
            "cost": self.unit_cost_minor,
            "now": micros(self.now),
            "expires_at": None if self.expires_at is None else micros(self.expires_at),
            "options": asdict(self.options),
            "skip": self.skip,
            "lot": target.lot_id.bytes if target else None,
            "seal_no": target.seal_no if target else 0,
            "key": target.key_id.bytes if target else b"",
            "public_key": target.public_key if target else b"",
            "fingerprint_key": self.fingerprint_key,
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        merchant, lot = UUID(bytes=message["merchant"]), message["lot"]
        expires_at = message["expires_at"]
        return cls(
            merchant_id=merchant,
            kind=message["kind"],
            currency=message["currency"],
            unit_cost_minor=message["cost"],
            now=moment(message["now"]),
            expires_at=None if expires_at is None else moment(expires_at),
            options=Options(**message["options"]),
            skip=message["skip"],
            target=None
            if lot is None
            else Target(
                merchant,
                UUID(bytes=lot),
                message["seal_no"],
                UUID(bytes=message["key"]),
                message["public_key"],
            ),
            fingerprint_key=message["fingerprint_key"],
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """The first answer: what kind of file it is, and whose key opens the boxes with the vault's."""

    encoding: str | None
    separator: str | None
    sender_public_key: bytes


@dataclass(slots=True)
class PackedChunk:
    """A chunk of good lines and refusals. Per line: its number, fingerprint, mark, and how many
    units it gives. Per unit: its row without lot and number (`packer.rows`). No code in clear.
    """

    number: int
    lines_read: int
    bytes_read: int
    is_mixed: bool
    expires_at_micros: int | None
    refused: list[tuple[int, str]]
    lines: bytes = b""
    fingerprints: bytes = b""
    marks: bytes = b""
    # Empty where every line gives one unit, costs the same, expires with the lot.
    capacities: bytes = b""
    costs: bytes = b""
    expiries: bytes = b""
    rows: list[bytes] = field(default_factory=list)

    @property
    def line_numbers(self) -> "array[int]":
        return array("I", self.lines)

    def fingerprint_list(self) -> list[bytes]:
        size, all_ = FINGERPRINT_BYTES, self.fingerprints
        return [all_[at : at + size] for at in range(0, len(all_), size)]

    def mark_list(self) -> list[int]:
        """As the database's bigint."""
        signed = array("q", self.marks)
        signed.byteswap()
        return signed.tolist()

    @property
    def expires_at(self) -> datetime | None:
        return None if self.expires_at_micros is None else moment(self.expires_at_micros)


def micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


assert array("q").itemsize == MARK_BYTES
