from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_ALLOW: _ClassVar[Decision]
    DECISION_CHALLENGE: _ClassVar[Decision]
    DECISION_HOLD: _ClassVar[Decision]
    DECISION_DECLINE: _ClassVar[Decision]
DECISION_UNSPECIFIED: Decision
DECISION_ALLOW: Decision
DECISION_CHALLENGE: Decision
DECISION_HOLD: Decision
DECISION_DECLINE: Decision

class FiredRule(_message.Message):
    __slots__ = ("rule_id", "version", "name", "explanation")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    version: int
    name: str
    explanation: str
    def __init__(self, rule_id: _Optional[str] = ..., version: _Optional[int] = ..., name: _Optional[str] = ..., explanation: _Optional[str] = ...) -> None: ...

class OrderLimits(_message.Message):
    __slots__ = ("quantity_max", "hold_seconds")
    QUANTITY_MAX_FIELD_NUMBER: _ClassVar[int]
    HOLD_SECONDS_FIELD_NUMBER: _ClassVar[int]
    quantity_max: int
    hold_seconds: int
    def __init__(self, quantity_max: _Optional[int] = ..., hold_seconds: _Optional[int] = ...) -> None: ...

class OrderAssessed(_message.Message):
    __slots__ = ("assessment_id", "order_id", "merchant_id", "decision", "rules", "reviewer", "note", "challenge_id", "limits")
    ASSESSMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_ID_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    assessment_id: str
    order_id: str
    merchant_id: str
    decision: Decision
    rules: _containers.RepeatedCompositeFieldContainer[FiredRule]
    reviewer: str
    note: str
    challenge_id: str
    limits: OrderLimits
    def __init__(self, assessment_id: _Optional[str] = ..., order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., decision: _Optional[_Union[Decision, str]] = ..., rules: _Optional[_Iterable[_Union[FiredRule, _Mapping]]] = ..., reviewer: _Optional[str] = ..., note: _Optional[str] = ..., challenge_id: _Optional[str] = ..., limits: _Optional[_Union[OrderLimits, _Mapping]] = ...) -> None: ...
