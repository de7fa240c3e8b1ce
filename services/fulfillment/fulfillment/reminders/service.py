"""Reminders of units that end soon and were not used: once per unit and step."""

from collections.abc import Sequence
from uuid import UUID

from fulfillment.messages.domain import Wanted
from fulfillment.messages.service import MessageService
from fulfillment.reminders import events, repository
from fulfillment.reminders.domain import ExpiringUnit, ReminderSetting
from kit.db import Transaction
from kit.messaging import outbox

UNITS_MAX = 500


class ReminderService:
    def __init__(self, messages: MessageService) -> None:
        self._messages = messages

    async def put(self, tx: Transaction, setting: ReminderSetting) -> None:
        """From now on; steps a unit was reminded of already do not come again."""
        await repository.put(tx, setting)

    async def get(self, tx: Transaction, merchant_id: UUID) -> ReminderSetting:
        """The merchant's, or the defaults."""
        return await repository.find(tx, merchant_id) or ReminderSetting(merchant_id)

    async def remind(self, tx: Transaction) -> Sequence[ExpiringUnit]:
        """Up to UNITS_MAX units that are to be reminded of now: told, and never again by this step.
        Two who do this at once share them out.
        """
        due = await repository.take_due(tx, UNITS_MAX)
        for unit in due:
            message = events.unit_expiring(unit)
            outbox.add(tx, message, key=unit.order_id, merchant_id=unit.merchant_id)
        # One message per delivery and step, however many units it has: by its key.
        first = {(unit.delivery_id, unit.days): unit for unit in reversed(due)}
        await self._messages.send_many(tx, [_wanted(unit) for unit in first.values()])
        return due


def _wanted(unit: ExpiringUnit) -> Wanted:
    return Wanted(
        unit.merchant_id,
        unit.order_id,
        "expiring",
        {"product": unit.name, "expires_on": unit.expires_at.date().isoformat()},
        unit.delivery_id,
        key=f"{unit.delivery_id}:{unit.days}",
    )
