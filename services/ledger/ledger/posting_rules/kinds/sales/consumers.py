"""An order ends: each delivered line earns its price and costs what it cost."""

from collections.abc import Iterator
from uuid import UUID

from kit.messaging.events import Event
from kit.money import Money
from ledger.accounts.domain import (
    COST_OF_GOODS,
    COUPON_DISCOUNTS,
    CUSTOMER_DEPOSITS,
    DEFERRED_REVENUE,
    FX_POSITION,
    INVENTORY,
    PROMOTION_DISCOUNTS,
    REVENUE,
    VOUCHER_DISCOUNTS,
    channel_clearing,
    supplier_name,
    supplier_payable,
)
from ledger.posting_messages import about_line, about_sale, fee_account, id_of, money_of
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import Draft, Posting
from lockstock.order.v1.order_events_pb2 import (
    LotCost,
    OrderCompleted,
    OrderPartiallyCompleted,
    OrderRefunded,
    SettledLine,
)

Ending = OrderCompleted | OrderPartiallyCompleted | OrderRefunded
ORDER, LINE = "channel, order, buyer", "channel, order, line, product, SKU, buyer"
DELIVERED = (
    Entry("customer-deposits", "revenue", LINE, "each delivered line, what was paid for it"),
    Entry("discounts:coupon", "revenue", LINE, "what coupons took off its price"),
    Entry("discounts:promotion", "revenue", LINE, "what promotions took off its price"),
    Entry("revenue", "deferred-revenue", LINE, "an own voucher, what was paid for it"),
    Entry(
        "discounts:voucher",
        "deferred-revenue",
        LINE,
        "the same: what it is worth beyond that; the other way round when it is worth less",
    ),
    Entry("revenue", "fx-position", LINE, "one in another currency, what was paid for it"),
    Entry("fx-position", "deferred-revenue", LINE, "the same: what it is worth"),
    Entry(
        "cost-of-goods",
        "inventory",
        LINE + ", lot, supplier",
        "each lot that gave to the line, at the cost of the lot",
    ),
    Entry(
        "cost-of-goods",
        "supplier-payable:<supplier>",
        LINE + ", supplier",
        "what was bought of a supplier for the line alone (a top-up)",
    ),
)
FEE_BACK = (
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
REFUNDED = Entry("customer-deposits", "channel-clearing:<channel>", ORDER, "what was refunded")


@posts(OrderCompleted, *DELIVERED)
def order_completed(event: Event[OrderCompleted]) -> Draft:
    return _draft(event, event.message, _lines(event.message), "order-settled", "Order settled")


@posts(OrderPartiallyCompleted, *DELIVERED, REFUNDED, *FEE_BACK)
def order_partially_completed(event: Event[OrderPartiallyCompleted]) -> Draft:
    """The same, once for an order: it ends one way only."""
    message = event.message
    back = _refunded(message, money_of(message.refunded))
    postings = [*_lines(message), *back, *_fees_back(message, message.fee_bearer)]
    return _draft(event, message, postings, "order-settled", "Order settled")


@posts(OrderRefunded, REFUNDED, *FEE_BACK)
def order_refunded(event: Event[OrderRefunded]) -> Draft:
    """The whole money went back before anything was delivered."""
    message = event.message
    back = _refunded(message, money_of(message.amount))
    postings = [*back, *_fees_back(message, message.fee_bearer)]
    return _draft(event, message, postings, "order-refunded", "Order refunded")


def _draft(
    event: Event[OrderCompleted] | Event[OrderPartiallyCompleted] | Event[OrderRefunded],
    message: Ending,
    postings: list[Posting],
    kind: str,
    description: str,
) -> Draft:
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"{kind}:{message.order_id}",
        at=event.time,
        description=description,
        postings=postings,
    )


def _lines(message: OrderCompleted | OrderPartiallyCompleted) -> list[Posting]:
    return [
        posting
        for line in message.lines
        if line.delivered
        for posting in (*_sold(message, line), *_deferred(message, line), *_cost(message, line))
    ]


def _sold(message: Ending, line: SettledLine) -> Iterator[Posting]:
    """One credit of the whole price, however it was paid."""
    about = about_line(message, line)
    paid = (
        (CUSTOMER_DEPOSITS, line.total),
        (COUPON_DISCOUNTS, line.coupon_discount),
        (PROMOTION_DISCOUNTS, line.promotion_discount),
    )
    gross = Money(0, line.total.currency)
    for account, amount in paid:
        if amount.amount_minor:
            gross += money_of(amount)
            yield Posting(account, amount.currency, amount.amount_minor, about)
    if gross.amount_minor:
        sold = line.quantity or None
        yield Posting(REVENUE, gross.currency, -gross.amount_minor, about, sold)


def _deferred(message: Ending, line: SettledLine) -> Iterator[Posting]:
    """Own vouchers are earned when they are redeemed, at what they are worth. What was paid for
    less than that is a discount from the day of the sale; there is none between two currencies.
    """
    worth = [
        (cost, money_of(cost.face_value) * cost.quantity)
        for cost in line.costs
        if cost.HasField("face_value")
    ]
    if not worth:
        return
    paid = money_of(line.total)
    whole = sum(value.amount_minor for _, value in worth)
    before = 0
    shared = 0
    for cost, value in worth:
        before += value.amount_minor
        # Shared out by worth; the parts add up to what was paid.
        part = paid.amount_minor * before // whole - shared if whole else 0
        shared += part
        about = about_line(message, line, id_of(cost.lot_id), _supplier_of(cost))
        if value.currency == paid.currency:
            yield from move(REVENUE, DEFERRED_REVENUE, Money(part, paid.currency), about)
            beyond = Money(value.amount_minor - part, value.currency)
            yield from move(VOUCHER_DISCOUNTS, DEFERRED_REVENUE, beyond, about)
        else:
            yield from move(REVENUE, FX_POSITION, Money(part, paid.currency), about)
            yield from move(FX_POSITION, DEFERRED_REVENUE, value, about)


def _cost(message: Ending, line: SettledLine) -> Iterator[Posting]:
    for cost in line.costs:
        lot_id, supplier = id_of(cost.lot_id), _supplier_of(cost)
        # Never on the shelf, so not taken from it: it is owed to the supplier at once.
        source = INVENTORY if lot_id else supplier_payable(cost.supplier)
        about = about_line(message, line, lot_id, supplier)
        amount = money_of(cost.unit_cost) * cost.quantity
        yield from move(COST_OF_GOODS, source, amount, about, cost.quantity)


def _supplier_of(cost: LotCost) -> str | None:
    """Releases before tell no supplier of a lot: the lot itself knows."""
    return supplier_name(cost.supplier) if cost.supplier or not cost.lot_id else None


def _refunded(message: OrderPartiallyCompleted | OrderRefunded, amount: Money) -> list[Posting]:
    clearing = channel_clearing(UUID(message.channel_id))
    return list(move(CUSTOMER_DEPOSITS, clearing, amount, about_sale(message)))


def _fees_back(message: OrderPartiallyCompleted | OrderRefunded, bearer: str) -> Iterator[Posting]:
    clearing = channel_clearing(UUID(message.channel_id))
    for line in message.lines:
        if line.HasField("fee_returned"):
            about, back = about_line(message, line), money_of(line.fee_returned)
            yield from move(clearing, fee_account(bearer), back, about)
