"""The wire of deliveries."""

import base64
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from fulfillment.deliveries.domain import Box, Delivery, Unit
from kit.http import Model

_DELIVERY: dict[str, Any] = {
    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a77",
    "order_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a11",
    "line_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a12",
    "line_no": 1,
    "sku": "STEAM-50",
    "name": "Steam 50",
    "quantity": 1,
    "kind": "pool",
    "round": 1,
    "instead_of": None,
    "status": "delivered",
    "reason": None,
    "url": "http://127.0.0.1:8003/d/AZOj8FsefESdVw9NPBsqd2k...",
    "settled_at": "2026-11-22T09:00:00.012Z",
    "receipt": "",
    "account_mask": "",
    "refunded_at": None,
    "units": [
        {
            "unit_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a55",
            "mask": "12****89",
            "lot_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a44",
            "box": None,
            "views": 0,
            "last_viewed_at": None,
            "expires_at": "2027-11-22T00:00:00Z",
            "state": "unopened",
            "replaces": None,
        }
    ],
}


class BoxRead(Model):
    """A NaCl box, base64: open with `crypto_box_open(ciphertext, nonce, public_key, your key)`."""

    public_key: str
    nonce: str
    ciphertext: str

    @classmethod
    def from_domain(cls, box: Box) -> Self:
        return cls(
            public_key=base64.b64encode(box.public_key).decode(),
            nonce=base64.b64encode(box.nonce).decode(),
            ciphertext=base64.b64encode(box.ciphertext).decode(),
        )


class UnitRead(Model):
    unit_id: UUID
    mask: str
    lot_id: UUID
    box: BoxRead | None = Field(
        default=None, description="Set when the order named the shop's public key."
    )
    views: int = Field(description="How often the buyer opened it on the delivery page.")
    last_viewed_at: datetime | None
    expires_at: datetime | None = Field(
        description="When what it is worth ends; null: never, or unknown."
    )
    state: Literal["unopened", "opened", "redeemed", "out_of_use"] = Field(
        description="out_of_use: it was replaced, or its money went back."
    )
    replaces: UUID | None = Field(description="The bad unit that this one was given for.")

    @classmethod
    def from_domain(cls, unit: Unit) -> Self:
        return cls(
            unit_id=unit.unit_id,
            mask=unit.mask,
            lot_id=unit.lot_id,
            box=BoxRead.from_domain(unit.box) if unit.box else None,
            views=unit.views,
            last_viewed_at=unit.last_viewed_at,
            expires_at=unit.expires_at,
            state=unit.state.value,
            replaces=unit.replaces,
        )


class LinkCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"days": 30}]})

    days: int | None = Field(
        default=None, ge=1, le=3_650, description="How long it works; absent: as a first link."
    )


class LinkRead(Model):
    url: str = Field(description="Whoever has it can open the codes: keep it safe.")
    ends_at: datetime


class DeliveryRead(Model):
    """One line of an order and what became of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY]})

    id: UUID
    order_id: UUID
    line_id: UUID
    line_no: int
    sku: str
    name: str
    quantity: int
    kind: str
    round: int = Field(description="Above 1: the line was asked for again, in another way.")
    instead_of: str | None = Field(description="What was ordered, when this is its substitute.")
    status: Literal["pending", "delivered", "failed", "unknown"]
    reason: str | None = Field(description="Why it failed: a stable code, e.g. out_of_stock.")
    url: str = Field(
        description="The buyer's page. Whoever has it can open the codes: keep it safe."
    )
    settled_at: datetime | None
    receipt: str = Field(description="Of a line without units: what the supplier or a person said.")
    account_mask: str = Field(description="Of a top-up: the account, masked.")
    refunded_at: datetime | None = Field(description="When all money of the line was back.")
    units: list[UnitRead]

    @classmethod
    def from_domain(cls, delivery: Delivery, url: str) -> Self:
        line = delivery.line
        return cls(
            id=delivery.id,
            order_id=delivery.order_id,
            line_id=line.line_id,
            line_no=line.line_no,
            sku=line.sku,
            name=line.name,
            quantity=line.quantity,
            kind=line.kind,
            round=line.round,
            instead_of=line.instead_of or None,
            status=delivery.state.value,
            reason=delivery.reason,
            url=url,
            settled_at=delivery.settled_at,
            receipt=delivery.receipt,
            account_mask=delivery.account_mask,
            refunded_at=delivery.refunded_at,
            units=[UnitRead.from_domain(unit) for unit in delivery.units],
        )
