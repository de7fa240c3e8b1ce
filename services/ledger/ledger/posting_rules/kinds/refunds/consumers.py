"""Money goes back that no order's end tells."""

from uuid import UUID

from kit.errors import Invalid
from kit.messaging.events import Event
from ledger.accounts.domain import BUYER_CREDITS, REFUNDS, channel_clearing
from ledger.posting_messages import about_line, about_order, fee_account, money_of
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import Draft, Posting
from lockstock.order.v1.order_events_pb2 import RefundMade

LINE = "channel, order, line, product, SKU, buyer"


@posts(
    RefundMade,
    Entry("buyer-credits", "channel-clearing:<channel>", "channel, order", "a payment not owed"),
    Entry("refunds", "channel-clearing:<channel>", LINE, "a delivered line or a part of it"),
    Entry(
        "channel-clearing:<channel>",
        "channel-fees",
        LINE,
        "what the channel gives back of its fee, borne by the merchant",
    ),
    Entry(
        "channel-clearing:<channel>",
        "platform-receivable",
        LINE,
        "the same, borne by the platform",
    ),
)
def refund_made(event: Event[RefundMade]) -> Draft:
    """What the goods of a delivered line cost stays spent. Raises Invalid for a kind of refund of a
    later release.
    """
    message = event.message
    match message.kind:
        case RefundMade.Kind.KIND_PAYMENT:
            postings, description = _payment(message), "Payment returned"
        case RefundMade.Kind.KIND_DELIVERED_LINE:
            postings, description = _delivered_line(message), "Delivered line refunded"
        case _:
            raise Invalid(f"refund {message.refund_id} is of a kind this release does not know")
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"refund-made:{message.refund_id}",
        at=event.time,
        description=description,
        postings=postings,
    )


def _payment(message: RefundMade) -> list[Posting]:
    clearing = channel_clearing(UUID(message.channel_id))
    return list(move(BUYER_CREDITS, clearing, money_of(message.amount), about_order(message)))


def _delivered_line(message: RefundMade) -> list[Posting]:
    clearing, about = channel_clearing(UUID(message.channel_id)), about_line(message, message)
    postings = list(move(REFUNDS, clearing, money_of(message.amount), about))
    if message.HasField("fee_returned"):
        fee = fee_account(message.fee_bearer)
        postings += move(clearing, fee, money_of(message.fee_returned), about)
    return postings
