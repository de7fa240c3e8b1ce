"""Money of buyers comes: what pays an order, and what pays none."""

from collections.abc import Iterator
from uuid import UUID

from kit.messaging.events import Event
from kit.money import Money
from ledger.accounts.domain import BUYER_CREDITS, CUSTOMER_DEPOSITS, channel_clearing
from ledger.posting_messages import about_line, about_order, about_sale, fee_account, money_of
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import Draft, Posting
from lockstock.order.v1.order_events_pb2 import OrderPaid, PaymentReceived

ORDER, SALE = "channel, order", "channel, order, buyer"
FEE = "channel, order, line, product, SKU, buyer"


@posts(
    OrderPaid,
    Entry("channel-clearing:<channel>", "customer-deposits", SALE),
    Entry("buyer-credits", "customer-deposits", SALE, "what came earlier, in parts"),
    Entry(
        "channel-fees",
        "channel-clearing:<channel>",
        FEE,
        "the channel's fee, each line's part of it, borne by the merchant",
    ),
    Entry(
        "platform-receivable", "channel-clearing:<channel>", FEE, "the same, borne by the platform"
    ),
)
def order_paid(event: Event[OrderPaid]) -> Draft:
    """The channel keeps its fee of what it collected at once."""
    message = event.message
    clearing, about = channel_clearing(UUID(message.channel_id)), about_sale(message)
    amount = money_of(message.amount)
    # Older releases took no parts and left it out.
    is_told = message.HasField("earlier")
    earlier = money_of(message.earlier) if is_told else Money(0, amount.currency)
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"order-paid:{message.order_id}",
        at=event.time,
        description="Order paid",
        postings=[
            *move(clearing, CUSTOMER_DEPOSITS, amount - earlier, about),
            *move(BUYER_CREDITS, CUSTOMER_DEPOSITS, earlier, about),
            *_fees(message),
        ],
    )


def _fees(message: OrderPaid) -> Iterator[Posting]:
    clearing = channel_clearing(UUID(message.channel_id))
    for line in message.lines:
        if line.HasField("fee"):
            about = about_line(message, line)
            yield from move(fee_account(message.fee_bearer), clearing, money_of(line.fee), about)


@posts(
    PaymentReceived,
    Entry(
        "channel-clearing:<channel>", "buyer-credits", ORDER, "a part, or money that is not owed"
    ),
)
def payment_received(event: Event[PaymentReceived]) -> Draft:
    """It pays no order yet: it is the buyer's."""
    message = event.message
    clearing, amount = channel_clearing(UUID(message.channel_id)), money_of(message.amount)
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"payment-received:{message.payment_id}",
        at=event.time,
        description="Payment received",
        postings=list(move(clearing, BUYER_CREDITS, amount, about_order(message))),
    )
