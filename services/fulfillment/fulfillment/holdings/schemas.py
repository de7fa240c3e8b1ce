"""The wire of holdings."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from fulfillment.holdings.domain import Holding
from kit.http import Model, Name

State = Literal["unopened", "opened", "expiring", "redeemed", "expired"]
LINK_DAYS_MAX = 365


class HoldingRead(Model):
    """A unit that a buyer holds. Its code is opened on the page of its order only."""

    unit_id: UUID
    mask: str
    sku: str
    name: str
    lot_id: UUID
    order_id: UUID
    reference: str = Field(description="The shop's own number of the order.")
    delivery_id: UUID
    state: State = Field(
        description="expiring: unused, and ends within seven days. A code that is not a voucher "
        "counts as used once it was opened."
    )
    delivered_at: datetime
    expires_at: datetime | None
    opened_at: datetime | None
    redeemed_at: datetime | None

    @classmethod
    def from_domain(cls, it: Holding) -> Self:
        return cls(
            unit_id=it.unit_id,
            mask=it.mask,
            sku=it.sku,
            name=it.name,
            lot_id=it.lot_id,
            order_id=it.order_id,
            reference=it.reference,
            delivery_id=it.delivery_id,
            state=it.state.value,
            delivered_at=it.delivered_at,
            expires_at=it.expires_at,
            opened_at=it.opened_at,
            redeemed_at=it.redeemed_at,
        )


class HoldingLinkCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"customer_id": "customer-7", "days": 30}]}
    )

    customer_id: Name = Field(description="As the shop's orders name the buyer.")
    days: Annotated[int, Field(ge=1, le=LINK_DAYS_MAX, strict=True)] = Field(
        default=30, description="How long the link works."
    )
    end_others: bool = Field(default=False, description="No earlier link works any more.")


class HoldingLinkRead(Model):
    """Whoever has the address sees what the buyer holds, and can open it: keep it safe."""

    url: str
    ends_at: datetime
