from lockstock.order.v1.order_events_pb2 import PaymentFailed
from order.failed_payments.domain import FailedPayment
from order.orders.domain import Order


def payment_failed(order: Order, failed: FailedPayment) -> PaymentFailed:
    return PaymentFailed(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        checkout_id=str(failed.checkout_id or ""),
        provider=failed.provider,
        reason=failed.reason,
    )
