import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PageLinkChanged(_message.Message):
    __slots__ = ("order_id", "merchant_id", "url", "ends_at")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    url: str
    ends_at: _timestamp_pb2.Timestamp
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., url: _Optional[str] = ..., ends_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
