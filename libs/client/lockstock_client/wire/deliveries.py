"""fulfillment and risk: deliveries, and orders that wait for a person."""

from typing import TypedDict

from lockstock_client.wire.money import BoxJson


class UnitJson(TypedDict):
    """A delivered unit; `box` when the order named the shop's key."""

    unit_id: str
    mask: str
    box: BoxJson | None
    views: int


class DeliveryJson(TypedDict):
    id: str
    order_id: str
    line_id: str
    status: str
    url: str
    units: list[UnitJson]


class RevealJson(TypedDict):
    box: BoxJson


class ReviewJson(TypedDict):
    """`status`: open, approved, declined, lapsed."""

    id: str
    order_id: str
    status: str
    reason: str
