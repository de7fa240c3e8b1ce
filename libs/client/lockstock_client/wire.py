"""What the services answer, as far as this package's callers use it. Services may add members."""

from typing import Any, NotRequired, TypedDict


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
    id: str
    supplier: str
    levels: LevelsJson


class PoolJson(TypedDict):
    """`levels` and `lots` are in the read of one pool."""

    id: str
    name: str
    unit_kind: str
    levels: NotRequired[LevelsJson]
    lots: NotRequired[list[LotJson]]


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


class ImportJson(TypedDict):
    """`status`: running, completed, failed, dry_run. `parts_stored`: of an upload of boxes."""

    id: str
    status: str
    lot_id: str | None
    accepted: int
    rejected: int
    duplicates: int
    lines: list[ImportLineJson]
    parts_stored: NotRequired[int | None]


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
