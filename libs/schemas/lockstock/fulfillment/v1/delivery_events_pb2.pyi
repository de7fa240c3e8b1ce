from lockstock.common.v1 import options_pb2 as _options_pb2
from lockstock.order.v1 import order_events_pb2 as _order_events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeliveredUnit(_message.Message):
    __slots__ = ("unit_id", "mask", "lot_id")
    UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    unit_id: str
    mask: str
    lot_id: str
    def __init__(self, unit_id: _Optional[str] = ..., mask: _Optional[str] = ..., lot_id: _Optional[str] = ...) -> None: ...

class LineDelivered(_message.Message):
    __slots__ = ("delivery_id", "order_id", "merchant_id", "line_id", "url", "units", "costs", "receipt", "round")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    COSTS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    order_id: str
    merchant_id: str
    line_id: str
    url: str
    units: _containers.RepeatedCompositeFieldContainer[DeliveredUnit]
    costs: _containers.RepeatedCompositeFieldContainer[_order_events_pb2.LotCost]
    receipt: str
    round: int
    def __init__(self, delivery_id: _Optional[str] = ..., order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., line_id: _Optional[str] = ..., url: _Optional[str] = ..., units: _Optional[_Iterable[_Union[DeliveredUnit, _Mapping]]] = ..., costs: _Optional[_Iterable[_Union[_order_events_pb2.LotCost, _Mapping]]] = ..., receipt: _Optional[str] = ..., round: _Optional[int] = ...) -> None: ...

class LineFailed(_message.Message):
    __slots__ = ("delivery_id", "order_id", "merchant_id", "line_id", "reason", "refusals", "round")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    order_id: str
    merchant_id: str
    line_id: str
    reason: str
    refusals: _containers.RepeatedCompositeFieldContainer[Refusal]
    round: int
    def __init__(self, delivery_id: _Optional[str] = ..., order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., line_id: _Optional[str] = ..., reason: _Optional[str] = ..., refusals: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ..., round: _Optional[int] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("supplier", "code")
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    supplier: str
    code: str
    def __init__(self, supplier: _Optional[str] = ..., code: _Optional[str] = ...) -> None: ...

class LineUnknown(_message.Message):
    __slots__ = ("delivery_id", "order_id", "merchant_id", "line_id", "reason", "supplier", "round")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    order_id: str
    merchant_id: str
    line_id: str
    reason: str
    supplier: str
    round: int
    def __init__(self, delivery_id: _Optional[str] = ..., order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., line_id: _Optional[str] = ..., reason: _Optional[str] = ..., supplier: _Optional[str] = ..., round: _Optional[int] = ...) -> None: ...
