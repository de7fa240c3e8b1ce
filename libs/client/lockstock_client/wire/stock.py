"""inventory-vault: what is in stock and what is done to it."""

from typing import Any, NotRequired, Required, TypedDict

from lockstock_client.wire.money import MoneyJson


class LevelsJson(TypedDict):
    available: int
    reserved: int
    sold: int
    opened: int
    redeemed: int
    expired: int
    quarantined: int
    void: int
    inactive: int
    total: int


class LotJson(TypedDict):
    """`state`: importing, inactive (until it is activated), on_shelf, quarantined, void, undone."""

    id: str
    pool_id: str
    state: str
    supplier: str
    note: str | None
    unit_cost: MoneyJson
    total_cost: MoneyJson
    expires_at: str | None
    created_at: str
    levels: LevelsJson


class HoldBudgetJson(TypedDict):
    """Of what is available, so many percent, but at least `units_min` (1) units."""

    share_percent: int
    units_min: NotRequired[int]


class HoldBudgetsJson(TypedDict, total=False):
    """What one unpaid holder may hold of a pool at a time, by who he is."""

    buyer: HoldBudgetJson | None
    ip: HoldBudgetJson | None
    device: HoldBudgetJson | None
    channel: HoldBudgetJson | None


class PoolJson(TypedDict):
    """`sold_per_day`, `cover_days` and `lots` are in the read of one pool. `cover_days` is how long
    the stock lasts at the pace of the last days; None: no end in sight.
    """

    id: str
    name: str
    unit_kind: str
    low_stock_threshold: int | None
    low_cover_days: int | None
    hold_budget: HoldBudgetsJson | None
    levels: LevelsJson
    sold_per_day: NotRequired[float | None]
    cover_days: NotRequired[float | None]
    lots: NotRequired[list[LotJson]]


class PoolChanges(TypedDict, total=False):
    """What is left out stays; None takes a limit away."""

    name: str
    low_stock_threshold: int | None
    low_cover_days: int | None
    hold_budget: HoldBudgetsJson | None


class UndoneJson(TypedDict):
    """What was taken back."""

    lot_id: str
    pool_id: str
    units: int
    total_cost: MoneyJson


class SaleJson(TypedDict):
    reservation_id: str
    reference: str
    line_no: int
    sold_at: str


class StockUnitJson(TypedDict):
    """What is known of a unit unopened. `refusal`: why its box did not open as its row, while the
    alarm of that is open.
    """

    id: str
    pool_id: str
    lot_id: str
    mask: str
    state: str
    expires_at: str | None
    sale: SaleJson | None
    refusal: str | None


class StockFilter(TypedDict, total=False):
    """All that is given must be true of a unit. `imported_to` is not included."""

    pool_id: Required[str]
    lot_ids: list[str]
    supplier: str
    imported_from: str
    imported_to: str
    expires_before: str
    mask: str
    unit_ids: list[str]


class StockOutcomeJson(TypedDict):
    """`id` is of the entry in the log, None for a dry run. `held` and `sold` units that the filter
    names were left alone. Act again while `more`.
    """

    id: str | None
    matched: int
    moved: int
    more: bool
    held: int
    sold: int


class StockActionJson(TypedDict):
    """An act on a filter (then `units` says how many moved), on a lot, or on a unit."""

    id: str
    action: str
    pool_id: str | None
    lot_id: str | None
    unit_id: str | None
    filter: dict[str, Any] | None
    units: int | None
    reason: str
    requested_by: str
    acted_at: str


class AlarmJson(TypedDict):
    """`object_id`: the unit, lot or key it is about. `count`: how often, while it was open."""

    id: str
    kind: str
    object_id: str
    details: dict[str, Any]
    count: int
    raised_at: str
    last_raised_at: str
    closed_at: str | None
    closed_by: str | None
    resolution: str | None


class ConservationJson(TypedDict):
    """`holds`: every imported unit is in exactly one state, in the books and counted by row."""

    lot_id: str
    holds: bool
    imported: int
    levels: LevelsJson
    counted: dict[str, int]
