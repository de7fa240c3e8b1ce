"""The wire of claims. `fulfillment` writes its calls against this file; batches answer as those of
reservations do.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import ConfigDict, Field, field_validator

from inventory_vault.custody.domain import HandedBox
from inventory_vault.reservations.schemas import LINES_MAX, QUANTITY_MAX, ItemProblem, LineNo
from inventory_vault.shelves.domain import TakenUnit
from kit.errors import DomainError
from kit.http import Model, MoneyModel, PublicKeyText

CLAIM_ITEMS_MAX = 200

_RESERVATION = "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a33"


class ClaimLineCreate(Model):
    line_no: LineNo
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)]


class ClaimCreate(Model):
    """With a key every unit is handed out re-sealed to it; without, masks only."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {},
                {"recipient_public_key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="},
            ]
        }
    )

    recipient_public_key: PublicKeyText | None = None
    lines: Annotated[list[ClaimLineCreate], Field(min_length=1, max_length=LINES_MAX)] | None = (
        Field(default=None, description="Sells so much; the rest goes back. Absent: all.")
    )

    @field_validator("lines")
    @classmethod
    def _names_each_once(cls, value: list[ClaimLineCreate] | None) -> list[ClaimLineCreate] | None:
        if value is not None and len({line.line_no for line in value}) != len(value):
            raise ValueError("a line is named once")
        return value

    def wanted(self) -> tuple[tuple[int, int], ...] | None:
        if self.lines is None:
            return None
        return tuple((line.line_no, line.quantity) for line in self.lines)


class ClaimBatchItem(ClaimCreate):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reservation_id": _RESERVATION}]})

    reservation_id: UUID
    merchant_id: UUID | None = Field(default=None, description="Only services may set it.")


class ClaimBatch(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"reservation_id": _RESERVATION}]}]}
    )

    items: Annotated[list[ClaimBatchItem], Field(min_length=1, max_length=CLAIM_ITEMS_MAX)]


class BoxRead(Model):
    """A NaCl box, base64: open with `crypto_box_open(ciphertext, nonce, public_key, your key)`."""

    key_id: UUID | None = None
    public_key: str
    nonce: str
    ciphertext: str


class ClaimedUnit(Model):
    unit_id: UUID
    mask: str
    line_no: int
    lot_id: UUID
    unit_cost: MoneyModel
    expires_at: datetime | None = None
    is_redeemable: bool = Field(default=False, description="A voucher: its use is told by events.")
    face_value: MoneyModel | None = Field(default=None, description="of a voucher of this vault")
    box: BoxRead | None = None


class ClaimRead(Model):
    """Answer of a single claim. The same units on repeat; boxes are sealed anew each time."""

    id: UUID
    status: Literal["sold"]
    units: list[ClaimedUnit]


class ClaimResult(Model):
    """`units` when sold; `problem` when not: `reservation_expired`, `reservation_released`, ..."""

    result: str
    reservation_id: UUID
    units: list[ClaimedUnit] | None = None
    problem: ItemProblem | None = None


class ClaimBatchRead(Model):
    items: list[ClaimResult]


# A claim may have thousands of units, all from our own database: they go out as plain dicts, with
# nothing to validate and no model per unit. Tests hold the bytes against the models above.
UnitJson = dict[str, Any]
ClaimResultJson = dict[str, Any]


def claim_bytes(
    reservation_id: UUID, units: Sequence[TakenUnit], boxes: Mapping[str, HandedBox]
) -> bytes:
    """A ClaimRead as JSON."""
    return orjson.dumps(
        {"id": str(reservation_id), "status": "sold", "units": _units_json(units, boxes)},
        option=orjson.OPT_UTC_Z,
    )


def claim_batch_bytes(results: Sequence[ClaimResultJson]) -> bytes:
    """A ClaimBatchRead as JSON."""
    return orjson.dumps({"items": results}, option=orjson.OPT_UTC_Z)


def sold_claim(
    reservation_id: UUID, units: Sequence[TakenUnit], boxes: Mapping[str, HandedBox]
) -> ClaimResultJson:
    return {
        "result": "sold",
        "reservation_id": str(reservation_id),
        "units": _units_json(units, boxes),
        "problem": None,
    }


def refused_claim(reservation_id: UUID, error: DomainError) -> ClaimResultJson:
    result = ClaimResult(
        result=error.code, reservation_id=reservation_id, problem=ItemProblem.of(error)
    )
    return result.model_dump(mode="json")


def _units_json(units: Sequence[TakenUnit], boxes: Mapping[str, HandedBox]) -> list[UnitJson]:
    found: list[UnitJson] = []
    for unit in units:
        unit_id = str(unit.unit_id)
        box, cost, face = boxes.get(unit_id), unit.unit_cost, unit.face_value
        found.append(
            {
                "unit_id": unit_id,
                "mask": unit.mask,
                "line_no": unit.line_no,
                "lot_id": str(unit.lot_id),
                "unit_cost": {"amount": cost.amount_minor, "currency": cost.currency},
                "expires_at": unit.expires_at,
                "is_redeemable": unit.is_redeemable,
                "face_value": face and {"amount": face.amount_minor, "currency": face.currency},
                "box": None if box is None else {"key_id": None, **box._asdict()},
            }
        )
    return found
