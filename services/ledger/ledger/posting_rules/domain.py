"""What each event means in debits and credits. The table in README.md says the same in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.money import Money
from ledger.accounts.domain import (
    BUYER_CREDITS,
    CLAW_BACKS_PENDING,
    COST_OF_GOODS,
    CUSTOMER_DEPOSITS,
    INVENTORY,
    REVENUE,
    AccountRef,
    channel_clearing,
    supplier_claw_back,
    supplier_payable,
)
from ledger.transactions.domain import Dimensions, Draft, Posting


@dataclass(frozen=True, slots=True)
class LotCost:
    """What the units one lot gave cost together; without a lot, what a purchase cost that was made
    of `supplier` for the line alone."""

    lot_id: UUID | None
    cost: Money
    supplier: str = ""


@dataclass(frozen=True, slots=True)
class SettledLine:
    product_id: UUID | None
    sku: str
    total: Money
    is_delivered: bool
    costs: Sequence[LotCost]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMoment:
    """Something that happened to an order."""

    order_id: UUID
    merchant_id: UUID
    channel_id: UUID
    at: datetime


def stock_imported(
    *, merchant_id: UUID, lot_id: UUID, supplier: str, total_cost: Money, at: datetime
) -> Draft:
    """Dr inventory / Cr supplier payable, at what the lot cost."""
    about = Dimensions(lot_id=lot_id)
    return Draft(
        merchant_id=merchant_id,
        source=f"stock-imported:{lot_id}",
        at=at,
        description="Stock imported",
        postings=list(_move(INVENTORY, supplier_payable(supplier), total_cost, about)),
    )


def stock_undone(
    *, merchant_id: UUID, lot_id: UUID, supplier: str, total_cost: Money, at: datetime
) -> Draft:
    """Dr supplier payable / Cr inventory: what stock_imported posted, the other way round."""
    about = Dimensions(lot_id=lot_id)
    return Draft(
        merchant_id=merchant_id,
        source=f"stock-undone:{lot_id}",
        at=at,
        description="Stock import undone",
        postings=list(_move(supplier_payable(supplier), INVENTORY, total_cost, about)),
    )


def order_paid(moment: OrderMoment, amount: Money, earlier: Money | None = None) -> Draft:
    """Dr channel clearing / Cr customer deposits; what came `earlier` as parts comes from there."""
    clearing = channel_clearing(moment.channel_id)
    earlier = earlier or Money(0, amount.currency)
    about = _about(moment)
    postings = [
        *_move(clearing, CUSTOMER_DEPOSITS, amount - earlier, about),
        *_move(BUYER_CREDITS, CUSTOMER_DEPOSITS, earlier, about),
    ]
    return _draft(moment, "order-paid", "Order paid", postings)


def payment_received(moment: OrderMoment, payment_id: UUID, amount: Money) -> Draft:
    """Dr channel clearing / Cr buyer credits: it pays no order yet: it is the buyer's."""
    clearing = channel_clearing(moment.channel_id)
    postings = list(_move(clearing, BUYER_CREDITS, amount, _about(moment)))
    return _draft(moment, "payment-received", "Payment received", postings, payment_id)


def payment_returned(moment: OrderMoment, refund_id: UUID, amount: Money) -> Draft:
    """Dr buyer credits / Cr channel clearing: what was not owed went back."""
    clearing = channel_clearing(moment.channel_id)
    postings = list(_move(BUYER_CREDITS, clearing, amount, _about(moment)))
    return _draft(moment, "refund-made", "Payment returned", postings, refund_id)


def delivered_line_refunded(
    moment: OrderMoment, refund_id: UUID, amount: Money, *, product_id: UUID | None, sku: str
) -> Draft:
    """Dr revenue / Cr channel clearing: earned less after all; what the goods cost stays spent."""
    about = Dimensions(
        channel_id=moment.channel_id, order_id=moment.order_id, product_id=product_id, sku=sku
    )
    postings = list(_move(REVENUE, channel_clearing(moment.channel_id), amount, about))
    return _draft(moment, "refund-made", "Delivered line refunded", postings, refund_id)


def order_settled(
    moment: OrderMoment, lines: Sequence[SettledLine], refunded: Money | None
) -> Draft:
    """Each delivered line earns its price and costs what it cost; what was refunded goes back."""
    postings: list[Posting] = []
    for line in lines:
        if line.is_delivered:
            postings += _delivered(moment, line)
    if refunded is not None:
        clearing = channel_clearing(moment.channel_id)
        postings += _move(CUSTOMER_DEPOSITS, clearing, refunded, _about(moment))
    return _draft(moment, "order-settled", "Order settled", postings)


def order_refunded(moment: OrderMoment, amount: Money) -> Draft:
    """Dr customer deposits / Cr channel clearing: the whole money went back."""
    clearing = channel_clearing(moment.channel_id)
    postings = list(_move(CUSTOMER_DEPOSITS, clearing, amount, _about(moment)))
    return _draft(moment, "order-refunded", "Order refunded", postings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimMoment:
    """A bad unit of an order, what replaced it, and what its supplier owes for it."""

    claim_id: UUID
    merchant_id: UUID
    channel_id: UUID
    order_id: UUID
    sku: str
    lot_id: UUID
    at: datetime
    supplier: str = ""
    claw_back: Money | None = None
    replacement_lot_id: UUID | None = None
    replacement_cost: Money | None = None

    def about(self, lot_id: UUID | None) -> Dimensions:
        return Dimensions(
            channel_id=self.channel_id, order_id=self.order_id, sku=self.sku, lot_id=lot_id
        )


def claim_granted(claim: ClaimMoment) -> Draft:
    """A replacement: Dr cost of goods / Cr inventory, at the cost of its very lot. And what the bad
    unit had cost: Dr supplier claw-back / Cr claw-backs pending. It is no gain before the supplier
    accepts it.
    """
    postings: list[Posting] = []
    if claim.replacement_cost is not None:
        about = claim.about(claim.replacement_lot_id)
        postings += _move(COST_OF_GOODS, INVENTORY, claim.replacement_cost, about)
    if claim.claw_back is not None:
        owed = supplier_claw_back(claim.supplier)
        postings += _move(owed, CLAW_BACKS_PENDING, claim.claw_back, claim.about(claim.lot_id))
    return _claim_draft(claim, "claim-granted", "Claim granted", postings)


def claw_back_accepted(claim: ClaimMoment, amount: Money) -> Draft:
    """The supplier pays: less is owed to him, and the goods cost less after all."""
    about = claim.about(claim.lot_id)
    postings = [
        *_move(supplier_payable(claim.supplier), supplier_claw_back(claim.supplier), amount, about),
        *_move(CLAW_BACKS_PENDING, COST_OF_GOODS, amount, about),
    ]
    return _claim_draft(claim, "claw-back-settled", "Claw-back accepted", postings)


def claw_back_refused(claim: ClaimMoment, amount: Money) -> Draft:
    """The supplier does not pay: what was noted of it is taken back."""
    about = claim.about(claim.lot_id)
    owed = supplier_claw_back(claim.supplier)
    postings = list(_move(CLAW_BACKS_PENDING, owed, amount, about))
    return _claim_draft(claim, "claw-back-settled", "Claw-back refused", postings)


def _claim_draft(claim: ClaimMoment, kind: str, description: str, postings: list[Posting]) -> Draft:
    return Draft(
        merchant_id=claim.merchant_id,
        source=f"{kind}:{claim.claim_id}",
        at=claim.at,
        description=description,
        postings=postings,
    )


def _delivered(moment: OrderMoment, line: SettledLine) -> Iterator[Posting]:
    about = _about(moment, line)
    yield from _move(CUSTOMER_DEPOSITS, REVENUE, line.total, about)
    for part in line.costs:
        # Never on the shelf, so not taken from it: it is owed to the supplier at once.
        source = INVENTORY if part.lot_id else supplier_payable(part.supplier)
        yield from _move(COST_OF_GOODS, source, part.cost, _about(moment, line, part.lot_id))


def _move(
    debit: AccountRef, credit: AccountRef, money: Money, about: Dimensions
) -> Iterator[Posting]:
    """Both sides in the money's own currency; nothing moves when it is nothing."""
    if money.amount_minor:
        yield Posting(debit, money.currency, money.amount_minor, about)
        yield Posting(credit, money.currency, -money.amount_minor, about)


def _about(
    moment: OrderMoment, line: SettledLine | None = None, lot_id: UUID | None = None
) -> Dimensions:
    return Dimensions(
        channel_id=moment.channel_id,
        order_id=moment.order_id,
        product_id=line.product_id if line else None,
        sku=line.sku if line else None,
        lot_id=lot_id,
    )


def _draft(
    moment: OrderMoment,
    kind: str,
    description: str,
    postings: list[Posting],
    source_id: UUID | None = None,
) -> Draft:
    return Draft(
        merchant_id=moment.merchant_id,
        source=f"{kind}:{source_id or moment.order_id}",
        at=moment.at,
        description=description,
        postings=postings,
    )
