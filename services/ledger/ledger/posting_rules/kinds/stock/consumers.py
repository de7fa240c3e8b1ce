"""Stock comes, is taken back, and is lost on the shelf."""

from uuid import UUID

from kit.errors import Invalid
from kit.messaging.events import Event
from ledger.accounts.domain import (
    EXPIRED_STOCK,
    INVENTORY,
    VOIDED_STOCK,
    supplier_name,
    supplier_payable,
)
from ledger.posting_messages import money_of
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import Dimensions, Draft
from lockstock.inventory_vault.v1.stock_events_pb2 import (
    StockImported,
    StockUndone,
    StockWrittenOff,
)

LOT = "lot, supplier"
_LOST = {
    StockWrittenOff.Reason.REASON_EXPIRED: EXPIRED_STOCK,
    StockWrittenOff.Reason.REASON_VOIDED: VOIDED_STOCK,
}


@posts(StockImported, Entry("inventory", "supplier-payable:<supplier>", LOT))
def stock_imported(event: Event[StockImported]) -> Draft:
    message = event.message
    supplier = supplier_payable(message.supplier)
    cost, about = money_of(message.total_cost), _about(message)
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"stock-imported:{message.lot_id}",
        at=event.time,
        description="Stock imported",
        postings=list(move(INVENTORY, supplier, cost, about, message.quantity)),
    )


@posts(StockUndone, Entry("supplier-payable:<supplier>", "inventory", LOT))
def stock_undone(event: Event[StockUndone]) -> Draft:
    """What stock_imported posted, the other way round."""
    message = event.message
    supplier = supplier_payable(message.supplier)
    cost, about = money_of(message.total_cost), _about(message)
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"stock-undone:{message.lot_id}",
        at=event.time,
        description="Stock import undone",
        postings=list(move(supplier, INVENTORY, cost, about, message.quantity)),
    )


@posts(
    StockWrittenOff,
    Entry("stock-losses:expired", "inventory", LOT, "the units' time is over"),
    Entry("stock-losses:voided", "inventory", LOT, "they were voided"),
)
def stock_written_off(event: Event[StockWrittenOff]) -> Draft:
    """At the cost of these very units. Raises Invalid for a reason of a later release."""
    message = event.message
    account = _LOST.get(message.reason)
    if account is None:
        raise Invalid(f"write-off {message.write_off_id} has a reason this release does not know")
    cost, about = money_of(message.cost), _about(message)
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"stock-written-off:{message.write_off_id}",
        at=event.time,
        description="Stock written off",
        postings=list(move(account, INVENTORY, cost, about, message.quantity)),
    )


def _about(message: StockImported | StockUndone | StockWrittenOff) -> Dimensions:
    return Dimensions(lot_id=UUID(message.lot_id), supplier=supplier_name(message.supplier))
