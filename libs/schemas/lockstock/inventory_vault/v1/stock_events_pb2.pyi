import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from lockstock.common.v1 import money_pb2 as _money_pb2
from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StockImported(_message.Message):
    __slots__ = ("lot_id", "pool_id", "merchant_id", "supplier", "quantity", "unit_cost", "total_cost", "expires_at")
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_COST_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COST_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    lot_id: str
    pool_id: str
    merchant_id: str
    supplier: str
    quantity: int
    unit_cost: _money_pb2.Money
    total_cost: _money_pb2.Money
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, lot_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., supplier: _Optional[str] = ..., quantity: _Optional[int] = ..., unit_cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., total_cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class StockUndone(_message.Message):
    __slots__ = ("lot_id", "pool_id", "merchant_id", "supplier", "quantity", "total_cost")
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COST_FIELD_NUMBER: _ClassVar[int]
    lot_id: str
    pool_id: str
    merchant_id: str
    supplier: str
    quantity: int
    total_cost: _money_pb2.Money
    def __init__(self, lot_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., supplier: _Optional[str] = ..., quantity: _Optional[int] = ..., total_cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class StockWrittenOff(_message.Message):
    __slots__ = ("write_off_id", "lot_id", "pool_id", "merchant_id", "supplier", "reason", "quantity", "cost")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[StockWrittenOff.Reason]
        REASON_EXPIRED: _ClassVar[StockWrittenOff.Reason]
        REASON_VOIDED: _ClassVar[StockWrittenOff.Reason]
    REASON_UNSPECIFIED: StockWrittenOff.Reason
    REASON_EXPIRED: StockWrittenOff.Reason
    REASON_VOIDED: StockWrittenOff.Reason
    WRITE_OFF_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    write_off_id: str
    lot_id: str
    pool_id: str
    merchant_id: str
    supplier: str
    reason: StockWrittenOff.Reason
    quantity: int
    cost: _money_pb2.Money
    def __init__(self, write_off_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., supplier: _Optional[str] = ..., reason: _Optional[_Union[StockWrittenOff.Reason, str]] = ..., quantity: _Optional[int] = ..., cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class StockLow(_message.Message):
    __slots__ = ("pool_id", "merchant_id", "available", "threshold", "projected_cover_days", "sold_per_day")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    PROJECTED_COVER_DAYS_FIELD_NUMBER: _ClassVar[int]
    SOLD_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    merchant_id: str
    available: int
    threshold: int
    projected_cover_days: float
    sold_per_day: float
    def __init__(self, pool_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., available: _Optional[int] = ..., threshold: _Optional[int] = ..., projected_cover_days: _Optional[float] = ..., sold_per_day: _Optional[float] = ...) -> None: ...

class StockOut(_message.Message):
    __slots__ = ("pool_id", "merchant_id")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    merchant_id: str
    def __init__(self, pool_id: _Optional[str] = ..., merchant_id: _Optional[str] = ...) -> None: ...
