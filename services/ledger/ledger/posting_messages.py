"""Reads out of messages what postings are made of."""

from typing import Protocol
from uuid import UUID

from kit.money import Money
from ledger.accounts.domain import CHANNEL_FEES, PLATFORM_RECEIVABLE, AccountRef
from ledger.transactions.domain import Dimensions
from lockstock.common.v1 import money_pb2

PLATFORM = "platform"


class OfOrder(Protocol):
    """An event about an order."""

    @property
    def order_id(self) -> str: ...
    @property
    def channel_id(self) -> str: ...


class OfBuyer(OfOrder, Protocol):
    @property
    def buyer(self) -> str: ...
    @property
    def buyer_group(self) -> str: ...


class OfLine(Protocol):
    @property
    def line_id(self) -> str: ...
    @property
    def product_id(self) -> str: ...
    @property
    def sku(self) -> str: ...


def money_of(message: money_pb2.Money) -> Money:
    return Money(message.amount_minor, message.currency)


def id_of(text: str) -> UUID | None:
    return UUID(text) if text else None


def about_order(order: OfOrder) -> Dimensions:
    return Dimensions(channel_id=UUID(order.channel_id), order_id=UUID(order.order_id))


def about_sale(order: OfBuyer) -> Dimensions:
    return Dimensions(
        channel_id=UUID(order.channel_id),
        order_id=UUID(order.order_id),
        buyer=order.buyer or None,
        buyer_group=order.buyer_group or None,
    )


def about_line(
    order: OfBuyer, line: OfLine, lot_id: UUID | None = None, supplier: str | None = None
) -> Dimensions:
    return Dimensions(
        channel_id=UUID(order.channel_id),
        order_id=UUID(order.order_id),
        product_id=id_of(line.product_id),
        sku=line.sku or None,
        line_id=id_of(line.line_id),
        lot_id=lot_id,
        supplier=supplier,
        buyer=order.buyer or None,
        buyer_group=order.buyer_group or None,
    )


def fee_account(bearer: str) -> AccountRef:
    """Where a channel's fee is booked; who bears it is the channel's rule when the order came."""
    return PLATFORM_RECEIVABLE if bearer == PLATFORM else CHANNEL_FEES
