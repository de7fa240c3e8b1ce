"""Purchases of suppliers that came to nothing. What was bought for stock is posted when it is on
the shelf, and what was bought for a line with the line; what came into no stock is claimed of the
supplier until he has answered.
"""

from uuid import UUID

from kit.messaging.events import Event
from ledger.accounts.domain import (
    LOST_PURCHASES,
    supplier_claw_back,
    supplier_name,
    supplier_payable,
)
from ledger.posting_messages import id_of, money_of
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import Dimensions, Draft, Posting
from lockstock.fulfillment.v1.purchase_events_pb2 import (
    CaseOpened,
    PurchaseStocked,
    SupplierAnswered,
)

LATE_SUCCESS = "late_success"
LOT = "lot, supplier"


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


@posts(
    PurchaseStocked,
    Entry(
        "supplier-claw-back:<supplier>",
        "supplier-payable:<supplier>",
        LOT,
        "codes that came into no stock (known already, damaged, lost): claimed of him",
    ),
)
def purchase_stocked(event: Event[PurchaseStocked]) -> Draft:
    """The supplier is owed the whole purchase: the lot's part of it StockImported posts."""
    message = event.message
    postings: list[Posting] = []
    if message.HasField("refused_cost"):
        claim, payable = supplier_claw_back(message.supplier), supplier_payable(message.supplier)
        postings += move(claim, payable, money_of(message.refused_cost), _about_lot(message))
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"codes-refused:{message.purchase_id}",
        at=event.time,
        description="Bought codes that came into no stock",
        postings=postings,
    )


@posts(
    SupplierAnswered,
    Entry(
        "supplier-payable:<supplier>",
        "supplier-claw-back:<supplier>",
        LOT,
        "he pays for codes that came into no stock",
    ),
    Entry("lost-purchases", "supplier-claw-back:<supplier>", LOT, "he does not: they are lost"),
)
def supplier_answered(event: Event[SupplierAnswered]) -> Draft:
    message = event.message
    cost = supplier_payable(message.supplier) if message.pays else LOST_PURCHASES
    claim, about = supplier_claw_back(message.supplier), _about_lot(message)
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"supplier-answered:{message.case_id}",
        at=event.time,
        description=f"Supplier {'pays' if message.pays else 'does not pay'} for codes without use",
        postings=list(move(cost, claim, money_of(message.amount), about)),
    )


def _about_lot(message: PurchaseStocked | SupplierAnswered) -> Dimensions:
    return Dimensions(lot_id=id_of(message.lot_id), supplier=supplier_name(message.supplier))
