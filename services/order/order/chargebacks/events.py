from lockstock.common.v1 import money_pb2
from lockstock.order.v1.chargeback_events_pb2 import ChargebackReceived
from order.chargebacks.domain import Chargeback
from order.orders.domain import Order


def chargeback_received(order: Order, chargeback: Chargeback) -> ChargebackReceived:
    amount = chargeback.amount
    return ChargebackReceived(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        channel_id=str(order.channel_id),
        reference=chargeback.reference,
        amount=money_pb2.Money(amount_minor=amount.amount_minor, currency=amount.currency),
        reason=chargeback.reason,
    )
