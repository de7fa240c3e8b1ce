"""How each piece of news about an order is worded for the world."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from google.protobuf.message import Message

from kit.money import Money
from lockstock.common.v1 import money_pb2
from lockstock.order.v1 import order_events_pb2 as pb
from lockstock.order.v1.challenge_events_pb2 import ChallengeRequested
from order.lines.domain import Line, LineStatus
from order.orders.domain import Arrival, GivenBack, News, Order, Payment

BUYER_BYTES = 16


def word(news: News, order: Order) -> Message:
    """The message that tells `news` about the order as it was then."""
    return _WORDS[news](order)


def word_money(money: Arrival | GivenBack, order: Order) -> Message:
    """The message that tells the books of money which no other event tells."""
    return _arrived(money, order) if isinstance(money, Arrival) else _given_back(money, order)


def _arrived(arrival: Arrival, order: Order) -> pb.PaymentReceived:
    kind = pb.PaymentReceived.Kind
    return pb.PaymentReceived(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        channel_id=str(order.channel_id),
        payment_id=str(arrival.payment.id),
        provider=arrival.payment.provider,
        provider_reference=arrival.payment.provider_reference,
        amount=_money(arrival.amount),
        kind=kind.KIND_PART if arrival.is_part else kind.KIND_SURPLUS,
        reason=arrival.reason,
    )


def _given_back(given: GivenBack, order: Order) -> pb.RefundMade:
    refund, line, kind = given.refund, given.line, pb.RefundMade.Kind
    return pb.RefundMade(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        channel_id=str(order.channel_id),
        refund_id=str(refund.id),
        payment_id=str(refund.payment_id),
        amount=_money(refund.amount),
        reason=refund.reason,
        kind=kind.KIND_DELIVERED_LINE if line else kind.KIND_PAYMENT,
        line_id=str(line.id) if line else "",
        product_id=str(line.product_id) if line else "",
        sku=line.sku if line else "",
        fee_returned=_fee_back(given, order),
        fee_bearer=_bearer(order),
        is_whole_line=line is not None and line.refundable.amount_minor == 0,
        **_buyer(order),
    )


def _fee_back(given: GivenBack, order: Order) -> money_pb2.Money | None:
    """The line is as it was after this refund."""
    line = given.line
    if line is None or not _gives_fee_back(order):
        return None
    after = line.refunded_minor
    fee = line.fee_of(after - given.refund.amount.amount_minor, after)
    return _amount(fee, order.total.currency)


def _placed(order: Order) -> pb.OrderPlaced:
    customer = order.customer
    return pb.OrderPlaced(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        channel_id=str(order.channel_id),
        reference=order.reference,
        customer=pb.Customer(
            id=customer.id,
            ip=customer.ip or "",
            device_id=customer.device_id or "",
            registered_at=customer.registered_at,
            contact_hash=customer.contact_hash or "",
            payer_hash=customer.payer_hash or "",
            contact_hashes=customer.contact_hashes,
        ),
        lines=[_ordered(line) for line in order.lines],
        total=_money(order.total),
        reservation_id=_reservation(order),
        pay_until=order.pay_until,
        assessment_id=order.assessment_id or "",
        channel_name=order.channel_name,
        is_paid=order.payment is not None,
        **_buyer(order),
    )


def _ordered(line: Line) -> pb.OrderedLine:
    return pb.OrderedLine(
        line_id=str(line.id),
        line_no=line.line_no,
        product_id=str(line.product_id),
        sku=line.sku,
        quantity=line.quantity,
        unit_price=_money(line.unit_price),
        total=_money(line.total),
    )


def _paid(order: Order) -> pb.OrderPaid:
    assert order.payment is not None, f"order {order.id} is told paid without a payment"
    return pb.OrderPaid(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        channel_id=str(order.channel_id),
        reservation_id=_reservation(order),
        provider=order.payment.provider,
        provider_reference=order.payment.provider_reference,
        amount=_money(order.total),
        earlier=_money(_earlier(order, order.payment)),
        lines=[_paid_line(line) for line in order.lines],
        fee_bearer=_bearer(order),
        **_buyer(order),
    )


def _paid_line(line: Line) -> pb.PaidLine:
    return pb.PaidLine(
        line_id=str(line.id),
        product_id=str(line.product_id),
        sku=line.sku,
        quantity=line.quantity,
        total=_money(line.total),
        fee=_amount(line.fee_minor, line.total.currency),
    )


def _earlier(order: Order, payment: Payment) -> Money:
    """What was told as received before: parts, or all of a price that came late."""
    if order.is_revived:
        return order.total
    return order.total - Money(payment.applied_minor, order.total.currency)


def _held(order: Order) -> pb.OrderHeld:
    return pb.OrderHeld(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        assessment_id=order.assessment_id,
        reason=order.reason,
    )


def _challenged(order: Order) -> ChallengeRequested:
    assert order.challenge is not None, f"order {order.id} is told challenged without a challenge"
    return ChallengeRequested(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        channel_id=str(order.channel_id),
        reference=order.reference,
        challenge_id=order.challenge.id,
        customer_id=order.customer.id,
        email=order.customer.email or "",
        phone=order.customer.phone or "",
        locale=order.customer.locale or "",
    )


def _fulfillment_requested(order: Order) -> pb.FulfillmentRequested:
    return pb.FulfillmentRequested(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        channel_id=str(order.channel_id),
        reference=order.reference,
        reservation_id=_reservation(order),
        customer_id=order.customer.id,
        email=order.customer.email or "",
        phone=order.customer.phone or "",
        locale=order.customer.locale or "",
        lines=[_requested(line) for line in order.lines],
        recipient_public_key=order.recipient_public_key or b"",
        paid_at=order.paid_at,
        round=max(line.round for line in order.lines),
    )


def _part_requested(order: Order) -> pb.FulfillmentRequested:
    message = _fulfillment_requested(order)
    message.hold_has_more = True
    return message


def _requested(line: Line) -> pb.RequestedLine:
    return pb.RequestedLine(
        line_id=str(line.id),
        line_no=line.line_no,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        pool_id=str(line.pool_id) if line.pool_id else "",
        instructions=line.instructions,
        kind=line.kind,
        inputs=line.inputs,
        top_up=_top_up(line.terms) if line.kind == "top_up" else None,
        manual=_manual(line.terms) if line.kind == "manual" else None,
        bundle_sku=line.bundle_sku or "",
        template=line.template,
        instead_of=line.instead.get("of", ""),
    )


def _top_up(terms: Mapping[str, Any]) -> pb.TopUpTerms:
    """As the product said when the order was placed, whatever it says by now."""
    offers = [
        pb.SupplierOffer(
            supplier=offer["supplier"],
            supplier_sku=offer["supplier_sku"],
            cost_max=money_pb2.Money(
                amount_minor=offer["cost_max"]["amount"], currency=offer["cost_max"]["currency"]
            ),
        )
        for offer in terms["offers"]
    ]
    # What was ordered before products could say so goes by the order of its offers.
    routing = terms.get("routing", "listed")
    return pb.TopUpTerms(offers=offers, account_input=terms["account_input"], routing=routing)


def _manual(terms: Mapping[str, Any]) -> pb.ManualTerms:
    return pb.ManualTerms(queue=terms["queue"], fulfiller=terms["fulfiller"] or "")


def _completed(order: Order) -> pb.OrderCompleted:
    return pb.OrderCompleted(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        channel_id=str(order.channel_id),
        total=_money(order.total),
        lines=[_settled(line, order) for line in order.lines],
        **_buyer(order),
    )


def _partially_completed(order: Order) -> pb.OrderPartiallyCompleted:
    return pb.OrderPartiallyCompleted(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        channel_id=str(order.channel_id),
        total=_money(order.total),
        refunded=_money(order.undelivered),
        lines=[_settled(line, order) for line in order.lines],
        fee_bearer=_bearer(order),
        **_buyer(order),
    )


def _settled(line: Line, order: Order) -> pb.SettledLine:
    currency, is_back = line.total.currency, line.status is LineStatus.REFUNDED
    fee_back = line.fee_minor if is_back and _gives_fee_back(order) else 0
    return pb.SettledLine(
        line_id=str(line.id),
        product_id=str(line.product_id),
        sku=line.sku,
        quantity=line.quantity,
        total=_money(line.total),
        delivered=line.status is LineStatus.DELIVERED,
        costs=[
            pb.LotCost(
                lot_id=cost.lot_id,
                quantity=cost.quantity,
                unit_cost=_money(cost.unit_cost),
                supplier=cost.supplier,
                purchase_id=cost.purchase_id,
                face_value=_money(cost.face_value) if cost.face_value else None,
            )
            for cost in line.costs
        ],
        coupon_discount=_amount(line.coupon_discount_minor, currency),
        promotion_discount=_amount(line.promotion_discount_minor, currency),
        fee_returned=_amount(fee_back, currency),
    )


def _refunded(order: Order) -> pb.OrderRefunded:
    return pb.OrderRefunded(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        channel_id=str(order.channel_id),
        amount=_money(order.undelivered),
        reason=order.reason,
        reservation_id=_reservation(order),
        lines=[_settled(line, order) for line in order.lines],
        fee_bearer=_bearer(order),
        **_buyer(order),
    )


def _cancelled(order: Order) -> pb.OrderCancelled:
    return pb.OrderCancelled(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        reason=order.reason,
        reservation_id=_reservation(order),
    )


def _expired(order: Order) -> pb.OrderExpired:
    return pb.OrderExpired(
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        reservation_id=_reservation(order),
    )


def _reservation(order: Order) -> str:
    return str(order.reservation_id) if order.reservation_id else ""


def _gives_fee_back(order: Order) -> bool:
    return order.terms.get("fee_on_refund") == "returned"


def _bearer(order: Order) -> str:
    return order.terms.get("fee_bearer", "merchant")


def _buyer(order: Order) -> dict[str, str]:
    """The same for all orders of one buyer of the merchant."""
    named = f"{order.merchant_id}:{order.customer.id}".encode()
    digest = blake2b(named, digest_size=BUYER_BYTES, person=b"buyer").hexdigest()
    return {"buyer": digest, "buyer_group": order.terms.get("groups", "")}


def _amount(amount_minor: int, currency: str) -> money_pb2.Money | None:
    """Left out when it is nothing."""
    return money_pb2.Money(amount_minor=amount_minor, currency=currency) if amount_minor else None


def _money(money: Money) -> money_pb2.Money:
    return money_pb2.Money(amount_minor=money.amount_minor, currency=money.currency)


_WORDS: Mapping[News, Callable[[Order], Message]] = {
    News.PLACED: _placed,
    News.PAID: _paid,
    News.HELD: _held,
    News.CHALLENGED: _challenged,
    News.FULFILLMENT_REQUESTED: _fulfillment_requested,
    News.PART_REQUESTED: _part_requested,
    News.COMPLETED: _completed,
    News.PARTIALLY_COMPLETED: _partially_completed,
    News.REFUNDED: _refunded,
    News.CANCELLED: _cancelled,
    News.EXPIRED: _expired,
}
