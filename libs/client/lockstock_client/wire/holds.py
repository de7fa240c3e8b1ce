"""inventory-vault: units held for a reference, and sold by a claim."""

from typing import NotRequired, TypedDict

from lockstock_client.wire.money import BoxJson, MoneyJson


class HoldLine(TypedDict):
    """A line of a reservation to make. `line_no` is its position if left out; `min_valid_seconds`
    asks for units that stay valid so long.
    """

    pool_id: str
    quantity: int
    line_no: NotRequired[int]
    min_valid_seconds: NotRequired[int]


class Holder(TypedDict, total=False):
    """Who would hold without having paid; counted against the pool's `hold_budget`."""

    buyer: str
    ip: str
    device: str
    channel: str


class ReservationLineJson(TypedDict):
    line_no: int
    pool_id: str
    quantity: int
    sold_quantity: int
    min_valid_seconds: int


class ReservationJson(TypedDict):
    """`status`: held, secured, sold, released, expired. `expires_at` is None unless held."""

    id: str
    reference: str
    status: str
    expires_at: str | None
    created_at: str
    lines: list[ReservationLineJson]


class ClaimedUnitJson(TypedDict):
    """`box` when the claim named a recipient."""

    unit_id: str
    mask: str
    line_no: int
    lot_id: str
    unit_cost: MoneyJson
    box: BoxJson | None


class ClaimJson(TypedDict):
    id: str
    status: str
    units: list[ClaimedUnitJson]
