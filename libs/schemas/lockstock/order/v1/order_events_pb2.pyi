import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from lockstock.common.v1 import money_pb2 as _money_pb2
from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Customer(_message.Message):
    __slots__ = ("id", "ip", "device_id", "registered_at", "contact_hash", "payer_hash", "contact_hashes")
    ID_FIELD_NUMBER: _ClassVar[int]
    IP_FIELD_NUMBER: _ClassVar[int]
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_FIELD_NUMBER: _ClassVar[int]
    CONTACT_HASH_FIELD_NUMBER: _ClassVar[int]
    PAYER_HASH_FIELD_NUMBER: _ClassVar[int]
    CONTACT_HASHES_FIELD_NUMBER: _ClassVar[int]
    id: str
    ip: str
    device_id: str
    registered_at: _timestamp_pb2.Timestamp
    contact_hash: str
    payer_hash: str
    contact_hashes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., ip: _Optional[str] = ..., device_id: _Optional[str] = ..., registered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., contact_hash: _Optional[str] = ..., payer_hash: _Optional[str] = ..., contact_hashes: _Optional[_Iterable[str]] = ...) -> None: ...

class OrderedLine(_message.Message):
    __slots__ = ("line_id", "line_no", "product_id", "sku", "quantity", "unit_price", "total")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_NO_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    line_no: int
    product_id: str
    sku: str
    quantity: int
    unit_price: _money_pb2.Money
    total: _money_pb2.Money
    def __init__(self, line_id: _Optional[str] = ..., line_no: _Optional[int] = ..., product_id: _Optional[str] = ..., sku: _Optional[str] = ..., quantity: _Optional[int] = ..., unit_price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class OrderPlaced(_message.Message):
    __slots__ = ("order_id", "merchant_id", "channel_id", "reference", "customer", "lines", "total", "reservation_id", "pay_until", "buyer", "buyer_group", "assessment_id", "channel_name", "is_paid")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    PAY_UNTIL_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    BUYER_GROUP_FIELD_NUMBER: _ClassVar[int]
    ASSESSMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_NAME_FIELD_NUMBER: _ClassVar[int]
    IS_PAID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    channel_id: str
    reference: str
    customer: Customer
    lines: _containers.RepeatedCompositeFieldContainer[OrderedLine]
    total: _money_pb2.Money
    reservation_id: str
    pay_until: _timestamp_pb2.Timestamp
    buyer: str
    buyer_group: str
    assessment_id: str
    channel_name: str
    is_paid: bool
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., reference: _Optional[str] = ..., customer: _Optional[_Union[Customer, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[OrderedLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reservation_id: _Optional[str] = ..., pay_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., buyer: _Optional[str] = ..., buyer_group: _Optional[str] = ..., assessment_id: _Optional[str] = ..., channel_name: _Optional[str] = ..., is_paid: _Optional[bool] = ...) -> None: ...

class PaidLine(_message.Message):
    __slots__ = ("line_id", "product_id", "sku", "quantity", "total", "fee")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    product_id: str
    sku: str
    quantity: int
    total: _money_pb2.Money
    fee: _money_pb2.Money
    def __init__(self, line_id: _Optional[str] = ..., product_id: _Optional[str] = ..., sku: _Optional[str] = ..., quantity: _Optional[int] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., fee: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class OrderPaid(_message.Message):
    __slots__ = ("order_id", "merchant_id", "channel_id", "reservation_id", "provider", "provider_reference", "amount", "earlier", "lines", "fee_bearer", "buyer", "buyer_group")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    FEE_BEARER_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    BUYER_GROUP_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    channel_id: str
    reservation_id: str
    provider: str
    provider_reference: str
    amount: _money_pb2.Money
    earlier: _money_pb2.Money
    lines: _containers.RepeatedCompositeFieldContainer[PaidLine]
    fee_bearer: str
    buyer: str
    buyer_group: str
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., reservation_id: _Optional[str] = ..., provider: _Optional[str] = ..., provider_reference: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., earlier: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[PaidLine, _Mapping]]] = ..., fee_bearer: _Optional[str] = ..., buyer: _Optional[str] = ..., buyer_group: _Optional[str] = ...) -> None: ...

class PaymentReceived(_message.Message):
    __slots__ = ("order_id", "merchant_id", "channel_id", "payment_id", "provider", "provider_reference", "amount", "kind", "reason")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[PaymentReceived.Kind]
        KIND_PART: _ClassVar[PaymentReceived.Kind]
        KIND_SURPLUS: _ClassVar[PaymentReceived.Kind]
    KIND_UNSPECIFIED: PaymentReceived.Kind
    KIND_PART: PaymentReceived.Kind
    KIND_SURPLUS: PaymentReceived.Kind
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    channel_id: str
    payment_id: str
    provider: str
    provider_reference: str
    amount: _money_pb2.Money
    kind: PaymentReceived.Kind
    reason: str
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., payment_id: _Optional[str] = ..., provider: _Optional[str] = ..., provider_reference: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., kind: _Optional[_Union[PaymentReceived.Kind, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class PaymentFailed(_message.Message):
    __slots__ = ("order_id", "merchant_id", "checkout_id", "provider", "reason")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHECKOUT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    checkout_id: str
    provider: str
    reason: str
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., checkout_id: _Optional[str] = ..., provider: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RefundMade(_message.Message):
    __slots__ = ("order_id", "merchant_id", "channel_id", "refund_id", "payment_id", "amount", "reason", "kind", "line_id", "product_id", "sku", "fee_returned", "fee_bearer", "buyer", "buyer_group", "is_whole_line")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[RefundMade.Kind]
        KIND_PAYMENT: _ClassVar[RefundMade.Kind]
        KIND_DELIVERED_LINE: _ClassVar[RefundMade.Kind]
    KIND_UNSPECIFIED: RefundMade.Kind
    KIND_PAYMENT: RefundMade.Kind
    KIND_DELIVERED_LINE: RefundMade.Kind
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    FEE_RETURNED_FIELD_NUMBER: _ClassVar[int]
    FEE_BEARER_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    BUYER_GROUP_FIELD_NUMBER: _ClassVar[int]
    IS_WHOLE_LINE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    channel_id: str
    refund_id: str
    payment_id: str
    amount: _money_pb2.Money
    reason: str
    kind: RefundMade.Kind
    line_id: str
    product_id: str
    sku: str
    fee_returned: _money_pb2.Money
    fee_bearer: str
    buyer: str
    buyer_group: str
    is_whole_line: bool
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., refund_id: _Optional[str] = ..., payment_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reason: _Optional[str] = ..., kind: _Optional[_Union[RefundMade.Kind, str]] = ..., line_id: _Optional[str] = ..., product_id: _Optional[str] = ..., sku: _Optional[str] = ..., fee_returned: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., fee_bearer: _Optional[str] = ..., buyer: _Optional[str] = ..., buyer_group: _Optional[str] = ..., is_whole_line: _Optional[bool] = ...) -> None: ...

class OrderHeld(_message.Message):
    __slots__ = ("order_id", "merchant_id", "assessment_id", "reason")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    ASSESSMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    assessment_id: str
    reason: str
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., assessment_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RequestedLine(_message.Message):
    __slots__ = ("line_id", "line_no", "sku", "name", "quantity", "pool_id", "instructions", "kind", "inputs", "top_up", "manual", "bundle_sku", "template", "instead_of")
    class InputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_NO_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_FIELD_NUMBER: _ClassVar[int]
    MANUAL_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_SKU_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    INSTEAD_OF_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    line_no: int
    sku: str
    name: str
    quantity: int
    pool_id: str
    instructions: str
    kind: str
    inputs: _containers.ScalarMap[str, str]
    top_up: TopUpTerms
    manual: ManualTerms
    bundle_sku: str
    template: str
    instead_of: str
    def __init__(self, line_id: _Optional[str] = ..., line_no: _Optional[int] = ..., sku: _Optional[str] = ..., name: _Optional[str] = ..., quantity: _Optional[int] = ..., pool_id: _Optional[str] = ..., instructions: _Optional[str] = ..., kind: _Optional[str] = ..., inputs: _Optional[_Mapping[str, str]] = ..., top_up: _Optional[_Union[TopUpTerms, _Mapping]] = ..., manual: _Optional[_Union[ManualTerms, _Mapping]] = ..., bundle_sku: _Optional[str] = ..., template: _Optional[str] = ..., instead_of: _Optional[str] = ...) -> None: ...

class TopUpTerms(_message.Message):
    __slots__ = ("offers", "account_input", "routing")
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_INPUT_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    offers: _containers.RepeatedCompositeFieldContainer[SupplierOffer]
    account_input: str
    routing: str
    def __init__(self, offers: _Optional[_Iterable[_Union[SupplierOffer, _Mapping]]] = ..., account_input: _Optional[str] = ..., routing: _Optional[str] = ...) -> None: ...

class SupplierOffer(_message.Message):
    __slots__ = ("supplier", "supplier_sku", "cost_max")
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_SKU_FIELD_NUMBER: _ClassVar[int]
    COST_MAX_FIELD_NUMBER: _ClassVar[int]
    supplier: str
    supplier_sku: str
    cost_max: _money_pb2.Money
    def __init__(self, supplier: _Optional[str] = ..., supplier_sku: _Optional[str] = ..., cost_max: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class ManualTerms(_message.Message):
    __slots__ = ("queue", "fulfiller")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    FULFILLER_FIELD_NUMBER: _ClassVar[int]
    queue: str
    fulfiller: str
    def __init__(self, queue: _Optional[str] = ..., fulfiller: _Optional[str] = ...) -> None: ...

class FulfillmentRequested(_message.Message):
    __slots__ = ("order_id", "merchant_id", "channel_id", "reference", "reservation_id", "customer_id", "email", "phone", "locale", "lines", "recipient_public_key", "paid_at", "round", "hold_has_more")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    PAID_AT_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    HOLD_HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    channel_id: str
    reference: str
    reservation_id: str
    customer_id: str
    email: str
    phone: str
    locale: str
    lines: _containers.RepeatedCompositeFieldContainer[RequestedLine]
    recipient_public_key: bytes
    paid_at: _timestamp_pb2.Timestamp
    round: int
    hold_has_more: bool
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., reference: _Optional[str] = ..., reservation_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., email: _Optional[str] = ..., phone: _Optional[str] = ..., locale: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[RequestedLine, _Mapping]]] = ..., recipient_public_key: _Optional[bytes] = ..., paid_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., round: _Optional[int] = ..., hold_has_more: _Optional[bool] = ...) -> None: ...

class LotCost(_message.Message):
    __slots__ = ("lot_id", "quantity", "unit_cost", "supplier", "purchase_id", "face_value")
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_COST_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    PURCHASE_ID_FIELD_NUMBER: _ClassVar[int]
    FACE_VALUE_FIELD_NUMBER: _ClassVar[int]
    lot_id: str
    quantity: int
    unit_cost: _money_pb2.Money
    supplier: str
    purchase_id: str
    face_value: _money_pb2.Money
    def __init__(self, lot_id: _Optional[str] = ..., quantity: _Optional[int] = ..., unit_cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., supplier: _Optional[str] = ..., purchase_id: _Optional[str] = ..., face_value: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class SettledLine(_message.Message):
    __slots__ = ("line_id", "product_id", "sku", "quantity", "total", "delivered", "costs", "coupon_discount", "promotion_discount", "fee_returned")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    COSTS_FIELD_NUMBER: _ClassVar[int]
    COUPON_DISCOUNT_FIELD_NUMBER: _ClassVar[int]
    PROMOTION_DISCOUNT_FIELD_NUMBER: _ClassVar[int]
    FEE_RETURNED_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    product_id: str
    sku: str
    quantity: int
    total: _money_pb2.Money
    delivered: bool
    costs: _containers.RepeatedCompositeFieldContainer[LotCost]
    coupon_discount: _money_pb2.Money
    promotion_discount: _money_pb2.Money
    fee_returned: _money_pb2.Money
    def __init__(self, line_id: _Optional[str] = ..., product_id: _Optional[str] = ..., sku: _Optional[str] = ..., quantity: _Optional[int] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., delivered: _Optional[bool] = ..., costs: _Optional[_Iterable[_Union[LotCost, _Mapping]]] = ..., coupon_discount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., promotion_discount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., fee_returned: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class OrderCompleted(_message.Message):
    __slots__ = ("order_id", "merchant_id", "channel_id", "total", "lines", "buyer", "buyer_group")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    BUYER_GROUP_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    channel_id: str
    total: _money_pb2.Money
    lines: _containers.RepeatedCompositeFieldContainer[SettledLine]
    buyer: str
    buyer_group: str
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[SettledLine, _Mapping]]] = ..., buyer: _Optional[str] = ..., buyer_group: _Optional[str] = ...) -> None: ...

class OrderPartiallyCompleted(_message.Message):
    __slots__ = ("order_id", "merchant_id", "channel_id", "total", "refunded", "lines", "buyer", "buyer_group", "fee_bearer")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    REFUNDED_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    BUYER_GROUP_FIELD_NUMBER: _ClassVar[int]
    FEE_BEARER_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    channel_id: str
    total: _money_pb2.Money
    refunded: _money_pb2.Money
    lines: _containers.RepeatedCompositeFieldContainer[SettledLine]
    buyer: str
    buyer_group: str
    fee_bearer: str
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., refunded: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[SettledLine, _Mapping]]] = ..., buyer: _Optional[str] = ..., buyer_group: _Optional[str] = ..., fee_bearer: _Optional[str] = ...) -> None: ...

class OrderRefunded(_message.Message):
    __slots__ = ("order_id", "merchant_id", "channel_id", "amount", "reason", "reservation_id", "lines", "fee_bearer", "buyer", "buyer_group")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    FEE_BEARER_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    BUYER_GROUP_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    channel_id: str
    amount: _money_pb2.Money
    reason: str
    reservation_id: str
    lines: _containers.RepeatedCompositeFieldContainer[SettledLine]
    fee_bearer: str
    buyer: str
    buyer_group: str
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reason: _Optional[str] = ..., reservation_id: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[SettledLine, _Mapping]]] = ..., fee_bearer: _Optional[str] = ..., buyer: _Optional[str] = ..., buyer_group: _Optional[str] = ...) -> None: ...

class OrderCancelled(_message.Message):
    __slots__ = ("order_id", "merchant_id", "reason", "reservation_id")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    reason: str
    reservation_id: str
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., reason: _Optional[str] = ..., reservation_id: _Optional[str] = ...) -> None: ...

class OrderExpired(_message.Message):
    __slots__ = ("order_id", "merchant_id", "reservation_id")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    merchant_id: str
    reservation_id: str
    def __init__(self, order_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., reservation_id: _Optional[str] = ...) -> None: ...
