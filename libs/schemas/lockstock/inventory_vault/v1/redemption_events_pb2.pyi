from lockstock.common.v1 import money_pb2 as _money_pb2
from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VoucherRedeemed(_message.Message):
    __slots__ = ("redemption_id", "unit_id", "lot_id", "pool_id", "merchant_id", "merchant_reference", "amount", "balance", "is_used_up")
    REDEMPTION_ID_FIELD_NUMBER: _ClassVar[int]
    UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    IS_USED_UP_FIELD_NUMBER: _ClassVar[int]
    redemption_id: str
    unit_id: str
    lot_id: str
    pool_id: str
    merchant_id: str
    merchant_reference: str
    amount: _money_pb2.Money
    balance: _money_pb2.Money
    is_used_up: bool
    def __init__(self, redemption_id: _Optional[str] = ..., unit_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., merchant_reference: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., balance: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., is_used_up: _Optional[bool] = ...) -> None: ...

class RedemptionRolledBack(_message.Message):
    __slots__ = ("redemption_id", "unit_id", "lot_id", "pool_id", "merchant_id", "merchant_reference", "amount", "balance", "is_over")
    REDEMPTION_ID_FIELD_NUMBER: _ClassVar[int]
    UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    IS_OVER_FIELD_NUMBER: _ClassVar[int]
    redemption_id: str
    unit_id: str
    lot_id: str
    pool_id: str
    merchant_id: str
    merchant_reference: str
    amount: _money_pb2.Money
    balance: _money_pb2.Money
    is_over: bool
    def __init__(self, redemption_id: _Optional[str] = ..., unit_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., merchant_reference: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., balance: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., is_over: _Optional[bool] = ...) -> None: ...

class UnitOpened(_message.Message):
    __slots__ = ("unit_id", "lot_id", "reservation_id", "merchant_id")
    UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    unit_id: str
    lot_id: str
    reservation_id: str
    merchant_id: str
    def __init__(self, unit_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., reservation_id: _Optional[str] = ..., merchant_id: _Optional[str] = ...) -> None: ...

class VoucherExpired(_message.Message):
    __slots__ = ("unit_id", "lot_id", "pool_id", "merchant_id", "balance")
    UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    unit_id: str
    lot_id: str
    pool_id: str
    merchant_id: str
    balance: _money_pb2.Money
    def __init__(self, unit_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., balance: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...
