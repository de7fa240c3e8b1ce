"""What this slice tells the others."""

from fulfillment.reminders.domain import ExpiringUnit
from lockstock.fulfillment.v1.claim_events_pb2 import UnitExpiring


def unit_expiring(unit: ExpiringUnit) -> UnitExpiring:
    return UnitExpiring(
        unit_id=str(unit.unit_id),
        order_id=str(unit.order_id),
        merchant_id=str(unit.merchant_id),
        line_id=str(unit.line_id),
        delivery_id=str(unit.delivery_id),
        sku=unit.sku,
        expires_at=unit.expires_at,
        days=unit.days,
        opened=unit.is_opened,
    )
