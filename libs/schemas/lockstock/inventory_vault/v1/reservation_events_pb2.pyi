from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SoldUnit(_message.Message):
    __slots__ = ("unit_id", "lot_id", "line_no")
    UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_NO_FIELD_NUMBER: _ClassVar[int]
    unit_id: str
    lot_id: str
    line_no: int
    def __init__(self, unit_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., line_no: _Optional[int] = ...) -> None: ...

class ReservationSold(_message.Message):
    __slots__ = ("reservation_id", "merchant_id", "reference", "units")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    merchant_id: str
    reference: str
    units: _containers.RepeatedCompositeFieldContainer[SoldUnit]
    def __init__(self, reservation_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., reference: _Optional[str] = ..., units: _Optional[_Iterable[_Union[SoldUnit, _Mapping]]] = ...) -> None: ...

class ReservationReleased(_message.Message):
    __slots__ = ("reservation_id", "merchant_id", "reference", "reason")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    merchant_id: str
    reference: str
    reason: str
    def __init__(self, reservation_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., reference: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ReservationExpired(_message.Message):
    __slots__ = ("reservation_id", "merchant_id", "reference")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    merchant_id: str
    reference: str
    def __init__(self, reservation_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., reference: _Optional[str] = ...) -> None: ...
