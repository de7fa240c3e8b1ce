"""What the services answer, as far as this package's callers use it. Services may add members."""

from typing import Any, NotRequired, Required, TypedDict


class MoneyJson(TypedDict):
    """Minor units: 1990 CNY is 19.90 yuan."""

    amount: int
    currency: str


class BoxJson(TypedDict):
    """Base64; `public_key` is the sender's."""

    public_key: str
    nonce: str
    ciphertext: str


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


class AuditEntryJson(TypedDict):
    """`leaf` is, to the byte, what the log proves."""

    seq: int
    entry_id: str
    object_id: str
    action: str
    leaf: str


class AuditCheckpointJson(TypedDict):
    """`vkey` is what the log says of itself; `root` is base64."""

    size: int
    root: str
    note: str
    vkey: str
    at: str


class AuditProofJson(TypedDict):
    entry: AuditEntryJson
    index: int
    hashes: list[str]
    checkpoint: AuditCheckpointJson


class AuditConsistencyJson(TypedDict):
    older: AuditCheckpointJson
    newer: AuditCheckpointJson
    hashes: list[str]


class ImportLineJson(TypedDict):
    line: int
    code: str
    detail: str


class ImportSummaryJson(TypedDict):
    """`status`: running, interrupted, completed, failed, dry_run. `accepted` + `rejected` +
    `duplicates` = lines. `duplicates_elsewhere`: accepted lines that others hold too, about.
    """

    id: str
    pool_id: str
    status: str
    phase: str
    lot_id: str | None
    file_name: str
    size_bytes: int
    bytes_read: int
    lines_read: int
    accepted: int
    units: int
    rejected: int
    duplicates: int
    duplicates_elsewhere: int
    failure: str | None
    parts_stored: int | None
    created_at: str
    finished_at: str | None


class ImportJson(TypedDict):
    """The receipt; `lines` are those refused. The rest is as in ImportSummaryJson."""

    id: str
    status: str
    lot_id: str | None
    accepted: int
    rejected: int
    duplicates: int
    lines: list[ImportLineJson]
    units: NotRequired[int]
    duplicates_elsewhere: NotRequired[int]
    failure: NotRequired[str | None]
    parts_stored: NotRequired[int | None]
    next_line: NotRequired[int | None]


class SealingKeyJson(TypedDict):
    """What stock is sealed to, and for whom: base64 and ids, as the header of a box names them."""

    key_id: str
    public_key: str
    merchant_id: str


class ConservationJson(TypedDict):
    """`holds`: every imported unit is in exactly one state, in the books and counted by row."""

    lot_id: str
    holds: bool
    imported: int
    levels: LevelsJson
    counted: dict[str, int]


class RedemptionJson(TypedDict):
    """`status`: redeemed, rolled_back. The money is null for units without a face value."""

    id: str
    status: str
    unit_id: str
    lot_id: str
    merchant_reference: str
    amount: MoneyJson | None
    balance: MoneyJson | None
    is_used_up: bool


class BalanceJson(TypedDict):
    unit_id: str
    state: str
    face_value: MoneyJson | None
    balance: MoneyJson | None


class VoucherTermsJson(TypedDict):
    """What the vouchers of a lot are worth; `limits` has per_buyer and per_shop."""

    lot_id: str
    face_value: MoneyJson
    valid_from: str | None
    limits: dict[str, int | None]


class ProductJson(TypedDict):
    id: str
    sku: str
    name: str
    price: MoneyJson


class DeliveredUnitJson(TypedDict):
    unit_id: str
    mask: str


class OrderDeliveryJson(TypedDict):
    id: str
    line_id: str
    status: str
    url: str | None
    units: list[DeliveredUnitJson]
    reason: str | None


class OrderLineJson(TypedDict):
    id: str
    line_no: int
    sku: str
    name: str
    quantity: int
    total: MoneyJson
    status: str


class OrderJson(TypedDict):
    id: str
    reference: str
    status: str
    channel_id: str
    total: MoneyJson
    verdict: str | None
    reason: str | None
    placed_at: str
    pay_until: str
    lines: list[OrderLineJson]
    deliveries: list[OrderDeliveryJson]


class TimelineEntryJson(TypedDict):
    at: str
    kind: str
    summary: str
    details: dict[str, Any]
    cause: str


class PaymentJson(TypedDict):
    id: str
    order_id: str
    provider: str
    provider_reference: str
    amount: MoneyJson


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
