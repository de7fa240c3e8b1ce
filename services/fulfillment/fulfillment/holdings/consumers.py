"""What the vault tells of units that were sold: seen, redeemed."""

from collections.abc import Sequence
from uuid import UUID

from fulfillment.holdings.service import HoldingService
from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.inventory_vault.v1.redemption_events_pb2 import (
    RedemptionRolledBack,
    UnitOpened,
    VoucherRedeemed,
)


class VaultConsumers:
    def __init__(self, holdings: HoldingService) -> None:
        self._holdings = holdings

    def handlers(self) -> list[Handler]:
        return [
            handles(UnitOpened, self.on_unit_opened),
            handles(VoucherRedeemed, self.on_voucher_redeemed),
            handles(RedemptionRolledBack, self.on_redemption_rolled_back),
        ]

    async def on_unit_opened(self, tx: Transaction, events: Sequence[Event[UnitOpened]]) -> None:
        seen = [(UUID(event.message.unit_id), event.time) for event in events]
        await self._holdings.note_opened(tx, seen)

    async def on_voucher_redeemed(
        self, tx: Transaction, events: Sequence[Event[VoucherRedeemed]]
    ) -> None:
        """Redeemed is what nothing is left of."""
        changed = [
            (UUID(event.message.unit_id), event.time if event.message.is_used_up else None)
            for event in events
        ]
        await self._holdings.note_redeemed(tx, changed)

    async def on_redemption_rolled_back(
        self, tx: Transaction, events: Sequence[Event[RedemptionRolledBack]]
    ) -> None:
        await self._holdings.note_redeemed(
            tx, [(UUID(event.message.unit_id), None) for event in events]
        )
