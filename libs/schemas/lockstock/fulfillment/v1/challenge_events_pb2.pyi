from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ChallengeSent(_message.Message):
    __slots__ = ("challenge_id", "order_id", "merchant_id", "channel", "target")
    CHALLENGE_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    challenge_id: str
    order_id: str
    merchant_id: str
    channel: str
    target: str
    def __init__(self, challenge_id: _Optional[str] = ..., order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class ChallengeNotSent(_message.Message):
    __slots__ = ("challenge_id", "order_id", "merchant_id", "reason")
    CHALLENGE_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    challenge_id: str
    order_id: str
    merchant_id: str
    reason: str
    def __init__(self, challenge_id: _Optional[str] = ..., order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
