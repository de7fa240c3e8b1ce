import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from lockstock.common.v1 import money_pb2 as _money_pb2
from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SettlementClosed(_message.Message):
    __slots__ = ("settlement_id", "merchant_id", "period_end", "closing", "due_on", "payout_id")
    SETTLEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    PERIOD_END_FIELD_NUMBER: _ClassVar[int]
    CLOSING_FIELD_NUMBER: _ClassVar[int]
    DUE_ON_FIELD_NUMBER: _ClassVar[int]
    PAYOUT_ID_FIELD_NUMBER: _ClassVar[int]
    settlement_id: str
    merchant_id: str
    period_end: _timestamp_pb2.Timestamp
    closing: _money_pb2.Money
    due_on: str
    payout_id: str
    def __init__(self, settlement_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., period_end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., closing: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., due_on: _Optional[str] = ..., payout_id: _Optional[str] = ...) -> None: ...
