import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from lockstock.common.v1 import money_pb2 as _money_pb2
from lockstock.common.v1 import options_pb2 as _options_pb2
from lockstock.fulfillment.v1 import delivery_events_pb2 as _delivery_events_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClaimOpened(_message.Message):
    __slots__ = ("claim_id", "order_id", "merchant_id", "line_id", "delivery_id", "unit_id", "lot_id", "reason", "opened_by")
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OPENED_BY_FIELD_NUMBER: _ClassVar[int]
    claim_id: str
    order_id: str
    merchant_id: str
    line_id: str
    delivery_id: str
    unit_id: str
    lot_id: str
    reason: str
    opened_by: str
    def __init__(self, claim_id: _Optional[str] = ..., order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., line_id: _Optional[str] = ..., delivery_id: _Optional[str] = ..., unit_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., reason: _Optional[str] = ..., opened_by: _Optional[str] = ...) -> None: ...

class ClaimDecided(_message.Message):
    __slots__ = ("claim_id", "order_id", "merchant_id", "line_id", "delivery_id", "unit_id", "lot_id", "outcome", "reason", "decided_by", "channel_id", "sku", "position", "replacement", "replacement_cost", "supplier", "claw_back", "replacement_face_value")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[ClaimDecided.Outcome]
        OUTCOME_REPLACED: _ClassVar[ClaimDecided.Outcome]
        OUTCOME_REFUNDED: _ClassVar[ClaimDecided.Outcome]
        OUTCOME_REFUSED: _ClassVar[ClaimDecided.Outcome]
        OUTCOME_WITHDRAWN: _ClassVar[ClaimDecided.Outcome]
    OUTCOME_UNSPECIFIED: ClaimDecided.Outcome
    OUTCOME_REPLACED: ClaimDecided.Outcome
    OUTCOME_REFUNDED: ClaimDecided.Outcome
    OUTCOME_REFUSED: ClaimDecided.Outcome
    OUTCOME_WITHDRAWN: ClaimDecided.Outcome
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_COST_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    CLAW_BACK_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FACE_VALUE_FIELD_NUMBER: _ClassVar[int]
    claim_id: str
    order_id: str
    merchant_id: str
    line_id: str
    delivery_id: str
    unit_id: str
    lot_id: str
    outcome: ClaimDecided.Outcome
    reason: str
    decided_by: str
    channel_id: str
    sku: str
    position: int
    replacement: _delivery_events_pb2.DeliveredUnit
    replacement_cost: _money_pb2.Money
    supplier: str
    claw_back: _money_pb2.Money
    replacement_face_value: _money_pb2.Money
    def __init__(self, claim_id: _Optional[str] = ..., order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., line_id: _Optional[str] = ..., delivery_id: _Optional[str] = ..., unit_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., outcome: _Optional[_Union[ClaimDecided.Outcome, str]] = ..., reason: _Optional[str] = ..., decided_by: _Optional[str] = ..., channel_id: _Optional[str] = ..., sku: _Optional[str] = ..., position: _Optional[int] = ..., replacement: _Optional[_Union[_delivery_events_pb2.DeliveredUnit, _Mapping]] = ..., replacement_cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., supplier: _Optional[str] = ..., claw_back: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., replacement_face_value: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class ClawBackSettled(_message.Message):
    __slots__ = ("claim_id", "order_id", "merchant_id", "channel_id", "lot_id", "supplier", "sku", "amount", "accepted", "reason")
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    claim_id: str
    order_id: str
    merchant_id: str
    channel_id: str
    lot_id: str
    supplier: str
    sku: str
    amount: _money_pb2.Money
    accepted: bool
    reason: str
    def __init__(self, claim_id: _Optional[str] = ..., order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., supplier: _Optional[str] = ..., sku: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., accepted: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class LotQuarantined(_message.Message):
    __slots__ = ("lot_id", "merchant_id", "order_id", "sku", "claims", "sold", "bound_basis_points", "norm_basis_points", "reason")
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    SOLD_FIELD_NUMBER: _ClassVar[int]
    BOUND_BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    NORM_BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    lot_id: str
    merchant_id: str
    order_id: str
    sku: str
    claims: int
    sold: int
    bound_basis_points: int
    norm_basis_points: int
    reason: str
    def __init__(self, lot_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., order_id: _Optional[str] = ..., sku: _Optional[str] = ..., claims: _Optional[int] = ..., sold: _Optional[int] = ..., bound_basis_points: _Optional[int] = ..., norm_basis_points: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class UnitExpiring(_message.Message):
    __slots__ = ("unit_id", "order_id", "merchant_id", "line_id", "delivery_id", "sku", "expires_at", "days", "opened")
    UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    unit_id: str
    order_id: str
    merchant_id: str
    line_id: str
    delivery_id: str
    sku: str
    expires_at: _timestamp_pb2.Timestamp
    days: int
    opened: bool
    def __init__(self, unit_id: _Optional[str] = ..., order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., line_id: _Optional[str] = ..., delivery_id: _Optional[str] = ..., sku: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., days: _Optional[int] = ..., opened: _Optional[bool] = ...) -> None: ...
