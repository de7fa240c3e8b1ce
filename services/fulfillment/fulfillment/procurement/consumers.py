"""The vault says that a pool runs short: its rule is looked at now."""

from collections.abc import Callable, Sequence
from uuid import UUID

from fulfillment.procurement_rules.service import RuleService
from kit.db import Transaction
from kit.messaging.events import Event
from lockstock.inventory_vault.v1.stock_events_pb2 import StockLow, StockOut


class StockConsumers:
    """`wake` is called once the rules are due, so that they are looked at at once."""

    def __init__(self, rules: RuleService, wake: Callable[[], None]) -> None:
        self._rules = rules
        self._wake = wake

    async def on_stock_low(self, tx: Transaction, events: Sequence[Event[StockLow]]) -> None:
        await self._hurry(tx, [event.message.pool_id for event in events])

    async def on_stock_out(self, tx: Transaction, events: Sequence[Event[StockOut]]) -> None:
        await self._hurry(tx, [event.message.pool_id for event in events])

    async def _hurry(self, tx: Transaction, pool_ids: Sequence[str]) -> None:
        await self._rules.hurry(tx, sorted({UUID(pool_id) for pool_id in pool_ids}))
        tx.on_commit(self._wake)
