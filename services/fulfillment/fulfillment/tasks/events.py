"""What this slice tells the others. Ids and masks only; never a code."""

from fulfillment.deliveries.domain import Delivered, Delivery, Failed, LotCost, Retry
from lockstock.common.v1.money_pb2 import Money
from lockstock.fulfillment.v1 import delivery_events_pb2 as pb
from lockstock.fulfillment.v1.delivery_events_pb2 import (
    DeliveredUnit,
    LineDelivered,
    LineFailed,
    LineUnknown,
)
from lockstock.order.v1 import order_events_pb2

UNITS_MAX = 5_000
"""Units one event names: an event has its size; the others are read over HTTP."""

DeliveryEvent = LineDelivered | LineFailed | LineUnknown


def line_delivered(delivery: Delivery, outcome: Delivered, url: str) -> LineDelivered:
    return LineDelivered(
        delivery_id=str(delivery.id),
        order_id=str(delivery.order_id),
        merchant_id=str(delivery.merchant_id),
        line_id=str(delivery.line.line_id),
        round=delivery.line.round,
        url=url,
        units=[
            DeliveredUnit(unit_id=str(unit.unit_id), mask=unit.mask, lot_id=str(unit.lot_id))
            for unit in outcome.units[:UNITS_MAX]
        ],
        costs=[_cost(cost) for cost in outcome.costs],
        receipt=outcome.receipt,
    )


def _cost(cost: LotCost) -> order_events_pb2.LotCost:
    unit_cost, face = cost.unit_cost, cost.face_value
    return order_events_pb2.LotCost(
        lot_id=str(cost.lot_id) if cost.lot_id else "",
        quantity=cost.quantity,
        unit_cost=Money(amount_minor=unit_cost.amount_minor, currency=unit_cost.currency),
        supplier=cost.supplier,
        purchase_id=str(cost.purchase_id) if cost.purchase_id else "",
        face_value=Money(amount_minor=face.amount_minor, currency=face.currency) if face else None,
    )


def line_failed(delivery: Delivery, outcome: Failed) -> LineFailed:
    return LineFailed(
        delivery_id=str(delivery.id),
        order_id=str(delivery.order_id),
        merchant_id=str(delivery.merchant_id),
        line_id=str(delivery.line.line_id),
        round=delivery.line.round,
        reason=outcome.reason,
        refusals=[pb.Refusal(supplier=supplier, code=code) for supplier, code in outcome.refusals],
    )


def line_unknown(delivery: Delivery, retry: Retry) -> LineUnknown:
    return LineUnknown(
        delivery_id=str(delivery.id),
        order_id=str(delivery.order_id),
        merchant_id=str(delivery.merchant_id),
        line_id=str(delivery.line.line_id),
        round=delivery.line.round,
        reason=retry.reason,
        supplier=retry.supplier,
    )
