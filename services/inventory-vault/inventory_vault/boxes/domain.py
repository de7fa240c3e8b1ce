"""Stock that a shop sealed on its own machine: it comes as boxes, in parts, and is not believed."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from cardfiles.records import REASONS as LINE_REASONS
from cardfiles.records import Rejection
from inventory_vault.custody.domain import CheckedBox, RefusedBox
from kit.errors import Conflict, Invalid, Unavailable
from kit.money import Money

UNITS_PER_PART_MAX = 5_000
PARTS_MAX = 10_000
IDLE_SECONDS_MAX = 86_400
"""An upload may rest for a day; then what it stored is taken back."""

REASONS = {
    "box_unopenable": "the box does not open: it was changed, or sealed for another key",
    "box_of_another_merchant": "the box was sealed for another merchant",
    "box_of_another_lot": "the box was sealed for another lot",
    "box_of_another_key": "the box names another key than the lot's",
    "box_of_another_unit": "the box was sealed for another unit",
    "box_malformed": "the box opens, but what is inside is not of the format LS1",
    "wrong_fields": "the fields inside are not those of the pool's kind of unit",
    "surrounding_space": "white space stands before or after a field inside",
    "unit_id_taken": "there is a unit with this id already; every unit needs a fresh one",
}
"""Why a box is refused, beside the reasons for which a line of a file is."""

_FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Opening:
    """An upload as the shop begins it. `lot_id` and `key_id` as the boxes name them."""

    import_id: UUID
    merchant_id: UUID
    pool_id: UUID
    lot_id: UUID
    key_id: UUID
    supplier: str
    unit_cost: Money
    expires_at: datetime | None
    note: str | None
    file_name: str
    has_unit_expiry: bool
    is_dry_run: bool


@dataclass(frozen=True, slots=True)
class BoxUpload:
    """What the parts of an upload are held against."""

    import_id: UUID
    merchant_id: UUID
    pool_id: UUID
    lot_id: UUID
    key_id: UUID
    unit_cost: Money
    # Of units that have none of their own.
    expires_at: datetime | None
    has_unit_expiry: bool
    is_dry_run: bool
    supplier: str
    note: str | None


@dataclass(frozen=True, slots=True)
class SentUnit:
    """A unit as it was sent; nonce and ciphertext in base64."""

    line: int
    unit_id: UUID
    nonce: str
    ciphertext: str
    unit_cost_minor: int | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Part:
    """Units sealed by one sender. Numbered from 1."""

    number: int
    public_key: str
    units: Sequence[SentUnit]

    def digest(self) -> bytes:
        """By this a repeat is known. Nothing here is secret: the codes are in the boxes."""
        digest = hashlib.blake2b(self.public_key.encode(), digest_size=32)
        for unit in self.units:
            facts = (unit.line, unit.unit_id, unit.nonce, unit.ciphertext, unit.unit_cost_minor)
            digest.update(repr((*facts, unit.expires_at and unit.expires_at.timestamp())).encode())
        return digest.digest()


@dataclass(frozen=True, slots=True)
class PartReceipt:
    """What became of a part; the same for every repeat of it."""

    import_id: UUID
    number: int
    accepted: int
    rejected: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part that is in the books."""

    digest: bytes
    receipt: PartReceipt


@dataclass(frozen=True, slots=True)
class Tail:
    """The last unit stored of a lot; `seq` is 0 while there is none."""

    seq: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stocked:
    """What of a lot is stored."""

    accepted: int
    cost_minor: int
    head_expires_at: datetime | None


@dataclass(slots=True)
class Sifted:
    """The units of a part, the good ones apart from the others. `known` and `taken` grow with the
    part, so that it cannot bring one code or one unit twice.
    """

    known: set[bytes]
    taken: set[UUID]
    stored: frozenset[bytes] = field(init=False)
    good: list[tuple[SentUnit, CheckedBox]] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    duplicates: int = 0

    def __post_init__(self) -> None:
        self.stored = frozenset(self.known)

    def add(self, unit: SentUnit, found: CheckedBox | RefusedBox) -> None:
        if isinstance(found, RefusedBox):
            self.refuse(unit, found.code)
        elif unit.unit_id in self.taken:
            self.refuse(unit, "unit_id_taken")
        elif found.fingerprint in self.known:
            self.duplicates += 1
            in_vault = found.fingerprint in self.stored
            self.refuse(unit, "duplicate_in_vault" if in_vault else "duplicate_in_file")
        else:
            self.known.add(found.fingerprint)
            self.taken.add(unit.unit_id)
            self.good.append((unit, found))

    def refuse(self, unit: SentUnit, code: str) -> None:
        detail = REASONS.get(code) or LINE_REASONS[code]
        self.refused.append(Rejection(unit.line, code, detail))

    @property
    def tampered(self) -> dict[str, int]:
        """How many boxes were not what their sender said of them, by code."""
        return dict(Counter(it.code for it in self.refused if it.code.startswith("box_")))

    def receipt(self, import_id: UUID, number: int) -> PartReceipt:
        rejected = len(self.refused) - self.duplicates
        return PartReceipt(import_id, number, len(self.good), rejected, self.duplicates)


def expiry_of(upload: BoxUpload, unit: SentUnit) -> datetime | None:
    """When the unit ends, by its own word or the lot's."""
    return unit.expires_at or upload.expires_at


def require_order(upload: BoxUpload, units: Sequence[SentUnit], tail: Tail) -> None:
    """A lot is sold in the order of its units, so those that expire first must come first.

    Raises UnitExpiryNotAnnounced, UnitsOutOfOrder.
    """
    if not upload.has_unit_expiry:
        named = next((unit.line for unit in units if unit.expires_at is not None), None)
        if named is not None:
            raise UnitExpiryNotAnnounced(line=named)
        return
    last = (tail.expires_at or _FAR) if tail.seq else None
    for unit in units:
        moment = expiry_of(upload, unit) or _FAR
        if last is not None and moment < last:
            raise UnitsOutOfOrder(line=unit.line)
        last = moment


class PartOutOfTurn(Conflict):
    """Parts are stored in their order; send the one after `parts_stored`."""

    code = "part_out_of_turn"


class PartReused(Invalid):
    """This part number was stored with another content; a part is repeated as it was or not."""

    code = "part_reused"


class UploadEnded(Conflict):
    """The import has ended: it was completed, or taken back after a day without a part."""

    code = "upload_ended"


class NotAnUpload(Conflict):
    """This import is of a file; only one that was opened for boxes takes boxes."""

    code = "not_an_upload_of_boxes"


class UnitExpiryNotAnnounced(Invalid):
    """A unit has an expiry of its own; open the import with has_unit_expiry for that."""

    code = "unit_expiry_not_announced"


class UnitsOutOfOrder(Invalid):
    """Units are sold in the order they come in: those that expire first must come first."""

    code = "units_out_of_order"


class BadSenderKey(Invalid):
    """public_key is no X25519 public key that a box can be sealed with."""

    code = "bad_sender_public_key"


class SealNumberTaken(Unavailable):
    """The lot was sealed anew meanwhile; send the part again."""

    code = "seal_number_taken"
