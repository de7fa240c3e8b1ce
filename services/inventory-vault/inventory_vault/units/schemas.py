from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from inventory_vault.custody.domain import HandedBox
from inventory_vault.units.domain import Evidence, Unit, View, Viewer
from kit.http import Model, MoneyModel, Name, PublicKeyText

_PLAIN = r"^[^\x00-\x1f\x7f]*$"


def _check_ip(value: str) -> str:
    return str(ip_address(value))


IpText = Annotated[str, StringConstraints(max_length=45), AfterValidator(_check_ip)]
UserAgent = Annotated[str, StringConstraints(max_length=1_000, pattern=_PLAIN)]


class ViewerCreate(Model):
    kind: Literal["buyer", "shop", "staff", "service"]
    id: Name
    ip: IpText | None = None
    user_agent: UserAgent | None = None

    def to_domain(self) -> Viewer:
        return Viewer(self.kind, self.id, self.ip, self.user_agent)


class RevealCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "recipient_public_key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
                    "viewer": {"kind": "buyer", "id": "customer-7", "ip": "203.0.113.9"},
                    "reason": "delivery page",
                }
            ]
        }
    )

    recipient_public_key: PublicKeyText
    viewer: ViewerCreate
    reason: Name


class RevealedBox(Model):
    """A NaCl box, base64: `crypto_box_open(ciphertext, nonce, public_key, your private key)`."""

    public_key: str
    nonce: str
    ciphertext: str

    @classmethod
    def from_domain(cls, box: HandedBox) -> Self:
        return cls(public_key=box.public_key, nonce=box.nonce, ciphertext=box.ciphertext)


class RevealRead(Model):
    unit_id: UUID
    view_id: UUID
    box: RevealedBox


UnitStateText = Literal[
    "inactive",
    "available",
    "reserved",
    "sold",
    "opened",
    "redeemed",
    "expired",
    "quarantined",
    "void",
    "undone",
]


class SaleRead(Model):
    reservation_id: UUID
    reference: str
    line_no: int
    sold_at: datetime


class UnitRead(Model):
    id: UUID
    pool_id: UUID
    lot_id: UUID
    mask: str
    state: str
    expires_at: datetime | None
    sale: SaleRead | None = Field(description="Set once the unit is sold.")
    refusal: str | None = Field(
        description="Why its box did not open as its row, while the alarm of that is open."
    )
    shredded_at: datetime | None = Field(
        description="Since when the code is erased, because its retention time is over."
    )
    revoked_at: datetime | None = Field(
        description="Since when the sold unit counts for nothing: it was replaced or paid back."
    )
    revoke_reason: str | None

    @classmethod
    def from_domain(cls, unit: Unit) -> Self:
        return cls(
            id=unit.unit_id,
            pool_id=unit.pool_id,
            lot_id=unit.lot_id,
            mask=unit.mask,
            state=unit.state,
            expires_at=unit.expires_at,
            sale=_sale(unit),
            refusal=unit.refusal,
            shredded_at=unit.shredded_at,
            revoked_at=unit.revoked_at,
            revoke_reason=unit.revoke_reason,
        )


def _sale(unit: Unit) -> SaleRead | None:
    if unit.sold_at is None or unit.reservation_id is None:
        return None
    return SaleRead(
        reservation_id=unit.reservation_id,
        reference=unit.reference or "",
        line_no=unit.line_no or 0,
        sold_at=unit.sold_at,
    )


class EvidenceRead(Model):
    """What speaks for or against a complaint about a sold unit; nothing of its content."""

    unit_id: UUID
    pool_id: UUID
    lot_id: UUID
    lot_state: str
    supplier: str
    unit_cost: MoneyModel
    state: str
    sold_at: datetime
    revoked_at: datetime | None
    views: int
    first_viewed_at: datetime | None
    last_viewed_at: datetime | None
    handed_out_at: datetime | None = Field(
        description="When a shop got it in a box of its own: who saw it there is not known here."
    )
    lot_sold: int = Field(description="Units of the lot that were ever sold.")

    @classmethod
    def from_domain(cls, found: Evidence) -> Self:
        return cls(
            unit_id=found.unit_id,
            pool_id=found.pool_id,
            lot_id=found.lot_id,
            lot_state=found.lot_state,
            supplier=found.supplier,
            unit_cost=MoneyModel.from_domain(found.unit_cost),
            state=found.state,
            sold_at=found.sold_at,
            revoked_at=found.revoked_at,
            views=found.views,
            first_viewed_at=found.first_viewed_at,
            last_viewed_at=found.last_viewed_at,
            handed_out_at=found.handed_out_at,
            lot_sold=found.lot_sold,
        )


class ViewRead(Model):
    """`reveal`: one unit shown. `handout`: the whole sale handed out re-sealed to a key."""

    id: UUID
    kind: Literal["reveal", "handout"]
    viewer_kind: str
    viewer_id: str
    ip: str | None
    user_agent: str | None
    reason: str
    seen_at: datetime

    @classmethod
    def from_domain(cls, view: View) -> Self:
        return cls(
            id=view.id,
            kind="reveal" if view.kind == "reveal" else "handout",
            viewer_kind=view.viewer_kind,
            viewer_id=view.viewer_id,
            ip=view.ip,
            user_agent=view.user_agent,
            reason=view.reason,
            seen_at=view.seen_at,
        )
