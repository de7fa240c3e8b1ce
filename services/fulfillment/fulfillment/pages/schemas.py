"""The wire between a buyer's page and this service."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from fulfillment.claims.schemas import PageClaimRead
from fulfillment.deliveries.schemas import BoxRead
from fulfillment.pages.domain import BuyerPage, Recommended, Revealed
from kit.http import Model, MoneyModel, PublicKeyText


class RevealCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"recipient_public_key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="}]
        }
    )

    recipient_public_key: PublicKeyText = Field(
        description="Of a key pair that this browser has just made and will forget."
    )


class RevealRead(Model):
    """Open `box` with the private key made for this call; the content is laid out as LS1."""

    box: BoxRead
    views: int
    last_viewed_at: datetime

    @classmethod
    def from_domain(cls, revealed: Revealed) -> Self:
        return cls(
            box=BoxRead.from_domain(revealed.box),
            views=revealed.views,
            last_viewed_at=revealed.last_viewed_at,
        )


class UnitOnPage(Model):
    """Which unit of which line, of those in use; all else about it stands in the page."""

    unit_id: UUID
    delivery_id: UUID


class UnitsRead(Model):
    """What one part of the page shows."""

    units: list[UnitOnPage]
    part: int
    parts: int

    @classmethod
    def from_domain(cls, page: BuyerPage) -> Self:
        return cls(
            units=[
                UnitOnPage(unit_id=unit.unit_id, delivery_id=delivery.id)
                for delivery in page.deliveries
                for unit in delivery.units
                if unit.out_of_use_at is None
            ],
            part=page.part,
            parts=page.parts,
        )


class RecommendedRead(Model):
    name: str
    price: MoneyModel
    url: str | None = Field(description="Where the shop sells it; null when it names no place.")

    @classmethod
    def from_domain(cls, found: Recommended) -> Self:
        return cls(
            name=found.name, price=MoneyModel.from_domain(found.price), url=found.url or None
        )


class RecommendedList(Model):
    items: list[RecommendedRead]


class ProgressRead(Model):
    """The state of each delivery, for a page that waits."""

    states: dict[UUID, str] = Field(
        description="pending, unknown, delivered, failed (the money is on its way back), refunded."
    )
    is_moving: bool
    claims: list[PageClaimRead] = Field(
        default_factory=list, description="Of units that were reported as bad, the last of each."
    )

    @classmethod
    def from_domain(cls, page: BuyerPage) -> Self:
        return cls(
            states=page.states,
            is_moving=page.is_moving,
            claims=[PageClaimRead.from_domain(claim) for claim in page.claims],
        )
