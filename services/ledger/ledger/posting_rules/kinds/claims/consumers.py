"""Bad units: what replaced them, and what their suppliers owe for them."""

from uuid import UUID

from kit.messaging.events import Event
from ledger.accounts.domain import (
    CLAW_BACKS_PENDING,
    COST_OF_GOODS,
    DEFERRED_REVENUE,
    INVENTORY,
    VOUCHER_DISCOUNTS,
    supplier_claw_back,
    supplier_name,
    supplier_payable,
)
from ledger.posting_messages import id_of, money_of
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import Dimensions, Draft, Posting
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided, ClawBackSettled

UNIT = "channel, order, line, SKU, lot, supplier"


@posts(
    ClaimDecided,
    Entry(
        "cost-of-goods",
        "inventory",
        "channel, order, line, SKU, lot of the new unit",
        "replaced: the new unit, at the cost of its very lot",
    ),
    Entry(
        "discounts:voucher",
        "deferred-revenue",
        "channel, order, line, SKU, lot of the new unit",
        "replaced: an own voucher, what the new one is worth",
    ),
    Entry(
        "supplier-claw-back:<supplier>",
        "claw-backs-pending",
        UNIT,
        "replaced or refunded: what the bad unit had cost",
    ),
)
def claim_decided(event: Event[ClaimDecided]) -> Draft:
    """What is asked of the supplier is no gain before he accepts it. What was refused or withdrawn,
    or cost nothing, posts nothing. A new voucher is owed for no money; the bad one stays owed until
    its time is over, and is kept then.
    """
    message = event.message
    postings: list[Posting] = []
    if message.HasField("replacement"):
        about = _about(message, UUID(message.replacement.lot_id))
        cost = money_of(message.replacement_cost)
        postings += move(COST_OF_GOODS, INVENTORY, cost, about, 1)
        if message.HasField("replacement_face_value"):
            worth = money_of(message.replacement_face_value)
            postings += move(VOUCHER_DISCOUNTS, DEFERRED_REVENUE, worth, about)
    if message.HasField("claw_back"):
        owed, about = supplier_claw_back(message.supplier), _about_bad(message)
        postings += move(owed, CLAW_BACKS_PENDING, money_of(message.claw_back), about)
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"claim-granted:{message.claim_id}",
        at=event.time,
        description="Claim granted",
        postings=postings,
    )


@posts(
    ClawBackSettled,
    Entry("supplier-payable:<supplier>", "supplier-claw-back:<supplier>", UNIT, "accepted"),
    Entry("claw-backs-pending", "cost-of-goods", UNIT, "accepted"),
    Entry(
        "claw-backs-pending",
        "supplier-claw-back:<supplier>",
        UNIT,
        "refused: the note is taken back",
    ),
)
def claw_back_settled(event: Event[ClawBackSettled]) -> Draft:
    """Accepted, less is owed to the supplier and the goods cost less after all."""
    message = event.message
    about, amount = _about_bad(message), money_of(message.amount)
    owed = supplier_claw_back(message.supplier)
    if message.accepted:
        postings = [
            *move(supplier_payable(message.supplier), owed, amount, about),
            *move(CLAW_BACKS_PENDING, COST_OF_GOODS, amount, about),
        ]
    else:
        postings = list(move(CLAW_BACKS_PENDING, owed, amount, about))
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"claw-back-settled:{message.claim_id}",
        at=event.time,
        description=f"Claw-back {'accepted' if message.accepted else 'refused'}",
        postings=postings,
    )


def _about_bad(message: ClaimDecided | ClawBackSettled) -> Dimensions:
    return _about(message, id_of(message.lot_id), supplier_name(message.supplier))


def _about(
    message: ClaimDecided | ClawBackSettled, lot_id: UUID | None, supplier: str | None = None
) -> Dimensions:
    # The line is told with the claim only.
    line_id = id_of(message.line_id) if isinstance(message, ClaimDecided) else None
    return Dimensions(
        channel_id=UUID(message.channel_id),
        order_id=UUID(message.order_id),
        line_id=line_id,
        sku=message.sku,
        lot_id=lot_id,
        supplier=supplier,
    )
