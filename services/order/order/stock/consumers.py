"""What the vault tells of its pools."""

from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.inventory_vault.v1.stock_events_pb2 import StockImported, StockOut
from order.stock import service
from order.stock.domain import Stand


async def on_stock_imported(tx: Transaction, events: Sequence[Event[StockImported]]) -> None:
    await service.note(
        tx,
        [
            Stand(
                UUID(event.message.pool_id),
                UUID(event.message.merchant_id),
                is_out=False,
                units_back=event.message.quantity,
            )
            for event in events
        ],
    )


async def on_stock_out(tx: Transaction, events: Sequence[Event[StockOut]]) -> None:
    await service.note(
        tx,
        [
            Stand(UUID(event.message.pool_id), UUID(event.message.merchant_id), is_out=True)
            for event in events
        ],
    )


def handlers() -> list[Handler]:
    return [handles(StockImported, on_stock_imported), handles(StockOut, on_stock_out)]
