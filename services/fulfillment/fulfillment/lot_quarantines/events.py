"""What this slice tells the others."""

from fulfillment.lot_quarantines.domain import LotQuarantine
from lockstock.fulfillment.v1.claim_events_pb2 import LotQuarantined


def lot_quarantined(lot: LotQuarantine) -> LotQuarantined:
    return LotQuarantined(
        lot_id=str(lot.lot_id),
        merchant_id=str(lot.merchant_id),
        order_id=str(lot.order_id),
        sku=lot.sku,
        claims=lot.claims,
        sold=lot.sold,
        bound_basis_points=lot.bound,
        norm_basis_points=lot.norm,
        reason=lot.reason,
    )
