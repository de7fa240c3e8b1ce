"""Looks for units that end soon."""

from fulfillment.reminders.service import UNITS_MAX, ReminderService
from kit.db import Database
from kit.periodic import Periodic


def remind_of_ends(db: Database, reminders: ReminderService, every_seconds: float) -> Periodic:
    async def run() -> bool:
        async with db.transaction() as tx:
            return len(await reminders.remind(tx)) == UNITS_MAX

    return Periodic("remind", every_seconds, run)
