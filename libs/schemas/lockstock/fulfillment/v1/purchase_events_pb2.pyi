from lockstock.common.v1 import money_pb2 as _money_pb2
from lockstock.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PurchaseMade(_message.Message):
    __slots__ = ("purchase_id", "merchant_id", "supplier", "supplier_sku", "quantity", "cost", "lot_id", "pool_id", "procurement_id", "is_late")
    PURCHASE_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_SKU_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    PROCUREMENT_ID_FIELD_NUMBER: _ClassVar[int]
    IS_LATE_FIELD_NUMBER: _ClassVar[int]
    purchase_id: str
    merchant_id: str
    supplier: str
    supplier_sku: str
    quantity: int
    cost: _money_pb2.Money
    lot_id: str
    pool_id: str
    procurement_id: str
    is_late: bool
    def __init__(self, purchase_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., supplier: _Optional[str] = ..., supplier_sku: _Optional[str] = ..., quantity: _Optional[int] = ..., cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., lot_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., procurement_id: _Optional[str] = ..., is_late: _Optional[bool] = ...) -> None: ...

class PurchaseStocked(_message.Message):
    __slots__ = ("purchase_id", "merchant_id", "lot_id", "pool_id", "accepted", "rejected", "duplicates", "supplier", "refused_cost")
    PURCHASE_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    REFUSED_COST_FIELD_NUMBER: _ClassVar[int]
    purchase_id: str
    merchant_id: str
    lot_id: str
    pool_id: str
    accepted: int
    rejected: int
    duplicates: int
    supplier: str
    refused_cost: _money_pb2.Money
    def __init__(self, purchase_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., accepted: _Optional[int] = ..., rejected: _Optional[int] = ..., duplicates: _Optional[int] = ..., supplier: _Optional[str] = ..., refused_cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class SupplierAnswered(_message.Message):
    __slots__ = ("case_id", "merchant_id", "supplier", "purchase_id", "lot_id", "amount", "pays")
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    PURCHASE_ID_FIELD_NUMBER: _ClassVar[int]
    LOT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    PAYS_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    merchant_id: str
    supplier: str
    purchase_id: str
    lot_id: str
    amount: _money_pb2.Money
    pays: bool
    def __init__(self, case_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., supplier: _Optional[str] = ..., purchase_id: _Optional[str] = ..., lot_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., pays: _Optional[bool] = ...) -> None: ...

class CaseOpened(_message.Message):
    __slots__ = ("case_id", "merchant_id", "kind", "supplier", "purchase_id", "order_id", "procurement_id", "amount")
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    PURCHASE_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PROCUREMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    merchant_id: str
    kind: str
    supplier: str
    purchase_id: str
    order_id: str
    procurement_id: str
    amount: _money_pb2.Money
    def __init__(self, case_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., kind: _Optional[str] = ..., supplier: _Optional[str] = ..., purchase_id: _Optional[str] = ..., order_id: _Optional[str] = ..., procurement_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class OfferPaused(_message.Message):
    __slots__ = ("supplier_product_id", "merchant_id", "supplier", "supplier_sku", "sku", "reason", "landed", "cost_max")
    SUPPLIER_PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_SKU_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LANDED_FIELD_NUMBER: _ClassVar[int]
    COST_MAX_FIELD_NUMBER: _ClassVar[int]
    supplier_product_id: str
    merchant_id: str
    supplier: str
    supplier_sku: str
    sku: str
    reason: str
    landed: _money_pb2.Money
    cost_max: _money_pb2.Money
    def __init__(self, supplier_product_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., supplier: _Optional[str] = ..., supplier_sku: _Optional[str] = ..., sku: _Optional[str] = ..., reason: _Optional[str] = ..., landed: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cost_max: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class OfferResumed(_message.Message):
    __slots__ = ("supplier_product_id", "merchant_id", "supplier", "supplier_sku", "sku", "landed")
    SUPPLIER_PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_SKU_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    LANDED_FIELD_NUMBER: _ClassVar[int]
    supplier_product_id: str
    merchant_id: str
    supplier: str
    supplier_sku: str
    sku: str
    landed: _money_pb2.Money
    def __init__(self, supplier_product_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., supplier: _Optional[str] = ..., supplier_sku: _Optional[str] = ..., sku: _Optional[str] = ..., landed: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class ProcurementProposed(_message.Message):
    __slots__ = ("procurement_id", "merchant_id", "pool_id", "quantity", "budget")
    PROCUREMENT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    procurement_id: str
    merchant_id: str
    pool_id: str
    quantity: int
    budget: _money_pb2.Money
    def __init__(self, procurement_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., quantity: _Optional[int] = ..., budget: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class ProcurementEnded(_message.Message):
    __slots__ = ("procurement_id", "merchant_id", "pool_id", "state", "quantity", "arrived", "spent", "reason")
    PROCUREMENT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    procurement_id: str
    merchant_id: str
    pool_id: str
    state: str
    quantity: int
    arrived: int
    spent: _money_pb2.Money
    reason: str
    def __init__(self, procurement_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., state: _Optional[str] = ..., quantity: _Optional[int] = ..., arrived: _Optional[int] = ..., spent: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class StatementReconciled(_message.Message):
    __slots__ = ("statement_id", "merchant_id", "supplier", "matched", "differences")
    STATEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    statement_id: str
    merchant_id: str
    supplier: str
    matched: int
    differences: int
    def __init__(self, statement_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., supplier: _Optional[str] = ..., matched: _Optional[int] = ..., differences: _Optional[int] = ...) -> None: ...
