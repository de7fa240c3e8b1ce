from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class LedgerChained(_message.Message):
    __slots__ = ("batch_no", "previous", "digest", "transactions_total")
    BATCH_NO_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    batch_no: int
    previous: bytes
    digest: bytes
    transactions_total: int
    def __init__(self, batch_no: _Optional[int] = ..., previous: _Optional[bytes] = ..., digest: _Optional[bytes] = ..., transactions_total: _Optional[int] = ...) -> None: ...
