"""What this slice tells the others."""

from fulfillment.claw_backs.domain import ClawBack, ClawBackState
from lockstock.common.v1.money_pb2 import Money
from lockstock.fulfillment.v1.claim_events_pb2 import ClawBackSettled


def claw_back_settled(claw_back: ClawBack) -> ClawBackSettled:
    return ClawBackSettled(
        claim_id=str(claw_back.claim_id),
        order_id=str(claw_back.order_id),
        merchant_id=str(claw_back.merchant_id),
        channel_id=str(claw_back.channel_id),
        lot_id=str(claw_back.lot_id),
        supplier=claw_back.supplier,
        sku=claw_back.sku,
        amount=Money(
            amount_minor=claw_back.amount.amount_minor, currency=claw_back.amount.currency
        ),
        accepted=claw_back.state is ClawBackState.ACCEPTED,
        reason=claw_back.reason,
    )
