"""Purchases of suppliers that came to nothing. What was bought for stock is posted when it is on
the shelf, and what was bought for a line with the line.
"""

from uuid import UUID

from kit.messaging.events import Event
from ledger.accounts.domain import LOST_PURCHASES, supplier_name, supplier_payable
from ledger.posting_messages import id_of, money_of
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import Dimensions, Draft, Posting
from lockstock.fulfillment.v1.purchase_events_pb2 import CaseOpened

LATE_SUCCESS = "late_success"


@posts(
    CaseOpened,
    Entry(
        "lost-purchases",
        "supplier-payable:<supplier>",
        "order, supplier",
        "late_success: bought after all, when its line was given up and refunded",
    ),
)
def case_opened(event: Event[CaseOpened]) -> Draft:
    """Cases of other kinds, and those about no money, post nothing."""
    message = event.message
    postings: list[Posting] = []
    if message.kind == LATE_SUCCESS and message.HasField("amount"):
        supplier = supplier_name(message.supplier)
        about = Dimensions(order_id=id_of(message.order_id), supplier=supplier)
        payable, amount = supplier_payable(supplier), money_of(message.amount)
        postings += move(LOST_PURCHASES, payable, amount, about)
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"late-success:{message.purchase_id}",
        at=event.time,
        description="Bought too late",
        postings=postings,
    )
