from lockstock.order.v1.order_events_pb2 import PaymentFailed
from order.checkouts.domain import Checkout


def payment_failed(checkout: Checkout, reason: str) -> PaymentFailed:
    return PaymentFailed(
        order_id=str(checkout.order_id),
        merchant_id=str(checkout.merchant_id),
        checkout_id=str(checkout.id),
        provider=checkout.provider,
        reason=reason,
    )
