from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from inventory_vault.boxes.domain import (
    PARTS_MAX,
    UNITS_PER_PART_MAX,
    Opening,
    Part,
    PartReceipt,
    SentUnit,
)
from inventory_vault.imports.domain import StockImport
from kit.http import CurrencyCode, Model, Name, PublicKeyText, Timestamp
from kit.http.wire import AMOUNT_MINOR_MAX
from kit.ids import new_id
from kit.money import Money

COST_MINOR_MAX = AMOUNT_MINOR_MAX // 100_000
CIPHERTEXT_CHARACTERS_MAX = 90_000
_BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

NonceText = Annotated[
    str, StringConstraints(min_length=32, max_length=32, pattern=r"^[A-Za-z0-9+/]{32}$")
]
CiphertextText = Annotated[
    str,
    StringConstraints(min_length=4, max_length=CIPHERTEXT_CHARACTERS_MAX, pattern=_BASE64),
]


class BoxUnit(Model):
    """One unit in its box, as `libs/sealing` describes it."""

    line: Annotated[int, Field(ge=1, le=2**31 - 1, description="Names the unit in the receipt.")]
    unit_id: UUID = Field(description="A fresh UUID; the box names it too.")
    nonce: NonceText = Field(description="24 bytes, base64")
    ciphertext: CiphertextText = Field(description="base64")
    unit_cost: Annotated[int, Field(ge=0, le=COST_MINOR_MAX)] | None = None
    expires_at: Timestamp | None = None

    def to_domain(self) -> SentUnit:
        return SentUnit(
            self.line,
            self.unit_id,
            self.nonce,
            self.ciphertext,
            self.unit_cost,
            self.expires_at,
        )


Units = Annotated[list[BoxUnit], Field(min_length=1, max_length=UNITS_PER_PART_MAX)]

# A true box of LS1, from its test vectors: for a lot and a key that exist nowhere.
_EXAMPLE_UNIT: dict[str, Any] = {
    "line": 1,
    "unit_id": "0193a3f0-0000-7000-8000-0000000000b2",
    "nonce": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
    "ciphertext": "Gv9i7hDGdLbQrfbiZKMIY5Jb9oF2Jx/ZRr/TQ3RyIUvxJ+DArgwr1PWfnyieUxeS+nwzE64ENxJ8"
    "8ulOr0N/t2Wuw3bmPXiHgsAPRgiQb+QLiBDqg7VC7RpGrAmn6j5TKLZIYV4UKhn1/wUcD48oEBSHIqLAJ2ISP86v"
    "I15gDvP/KqVu2/J3MhOTDUnVobyJKd2OUgEkOU51Rv/vPnEF8xUq80J1hbYmqfDcpXhvufvTBXzkG0HhyFfL94R0"
    "Eialdc2yRmCDo6+/TW73vxNFIzrDwwHZ9mD172qh/O+3FBI2gVTjak9pC4AipRPRR99fUCMAUbszhd40E2uI6xVI"
    "m4tTwW9SZNSa3tKgDTz3MTA=",
}
_EXAMPLE_KEY = "WGmv9FBUlzLLqu1eXfmzCm2jHLDldCutWtShp2jxpns="


class BoxesCreate(Model):
    """The next part of an upload: units sealed with one ephemeral key pair."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"part": 1, "public_key": _EXAMPLE_KEY, "units": [_EXAMPLE_UNIT]}]
        }
    )

    part: Annotated[int, Field(ge=1, le=PARTS_MAX, description="From 1, one after the other.")]
    public_key: PublicKeyText = Field(description="The sender's, X25519, base64")
    units: Units

    def to_domain(self) -> Part:
        return Part(self.part, self.public_key, [unit.to_domain() for unit in self.units])


class SealedLotCreate(Model):
    """Opens an import of boxes. With `boxes` it is the whole import in one call."""

    supplier: Name
    unit_cost: Annotated[int, Field(ge=0, le=COST_MINOR_MAX, description="minor units, per unit")]
    currency: CurrencyCode
    expires_at: Timestamp | None = None
    note: Name | None = None
    file_name: Name | None = None
    dry_run: bool = False
    has_unit_expiry: Annotated[
        bool, Field(description="Units have expiries of their own, and come in their order.")
    ] = False
    lot_id: UUID | None = Field(
        default=None, description="A fresh UUID of your own; needed to seal before this call."
    )
    key_id: UUID | None = Field(
        default=None, description="The key the boxes are sealed to; default: the active one."
    )
    public_key: PublicKeyText | None = Field(default=None, description="The sender's; with boxes.")
    boxes: Units | None = None

    @model_validator(mode="after")
    def _boxes_name_their_lot(self) -> Self:
        needed = (self.lot_id, self.key_id, self.public_key)
        if self.boxes is not None and None in needed:
            raise ValueError("boxes need lot_id, key_id and public_key")
        return self

    def to_domain(self, merchant_id: UUID, pool_id: UUID, active_key_id: UUID) -> Opening:
        return Opening(
            import_id=new_id(),
            merchant_id=merchant_id,
            pool_id=pool_id,
            lot_id=self.lot_id or new_id(),
            key_id=self.key_id or active_key_id,
            supplier=self.supplier,
            unit_cost=Money(self.unit_cost, self.currency),
            expires_at=self.expires_at,
            note=self.note,
            file_name=self.file_name or "boxes",
            has_unit_expiry=self.has_unit_expiry,
            is_dry_run=self.dry_run,
        )

    def part(self) -> Part | None:
        if self.boxes is None or self.public_key is None:
            return None
        return Part(1, self.public_key, [unit.to_domain() for unit in self.boxes])


class SealedLotBegun(Model):
    """For whom each box must be sealed: these ids stand in its header."""

    import_id: UUID
    lot_id: UUID
    merchant_id: UUID
    key_id: UUID
    public_key: str | None = Field(
        description="The vault's key of that id, X25519, base64; null when you named an older key."
    )


class PartRead(Model):
    """What became of a part; the refused lines are in the import's receipt."""

    import_id: UUID
    part: int
    accepted: int
    rejected: int
    duplicates: int

    @classmethod
    def from_domain(cls, receipt: PartReceipt) -> Self:
        return cls(
            import_id=receipt.import_id,
            part=receipt.number,
            accepted=receipt.accepted,
            rejected=receipt.rejected,
            duplicates=receipt.duplicates,
        )


class UploadRead(Model):
    """How an upload ended; `GET /v1/imports/{id}` has the whole receipt."""

    import_id: UUID
    status: str
    lot_id: UUID | None
    parts_stored: int
    accepted: int
    rejected: int
    duplicates: int
    finished_at: datetime | None

    @classmethod
    def of(cls, found: StockImport) -> Self:
        return cls(
            import_id=found.id,
            status=found.status.value,
            lot_id=found.lot_id,
            parts_stored=found.parts_stored or 0,
            accepted=found.accepted,
            rejected=found.rejected,
            duplicates=found.duplicates,
            finished_at=found.finished_at,
        )
