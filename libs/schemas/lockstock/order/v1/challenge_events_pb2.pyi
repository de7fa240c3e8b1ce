from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ChallengeRequested(_message.Message):
    __slots__ = ("order_id", "merchant_id", "channel_id", "reference", "challenge_id", "customer_id", "email", "phone", "locale")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    channel_id: str
    reference: str
    challenge_id: str
    customer_id: str
    email: str
    phone: str
    locale: str
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., reference: _Optional[str] = ..., challenge_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., email: _Optional[str] = ..., phone: _Optional[str] = ..., locale: _Optional[str] = ...) -> None: ...
