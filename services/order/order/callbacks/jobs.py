"""Asks providers for payments whose callback did not come, and closes what nobody will pay."""

import asyncio

from kit.db import Database
from kit.logging import get_logger
from kit.periodic import Periodic
from order.callbacks.service import CallbackService
from order.checkouts import service as checkouts
from order.checkouts.domain import Due

ASK_BATCH_MAX = 50
ASK_AT_ONCE_MAX = 10
LEASE_SECONDS = 60.0

log = get_logger(__name__)


def ask_for_payments(
    db: Database, callbacks: CallbackService, *, every_seconds: float, last_ask_seconds: int
) -> Periodic:
    """A lost callback costs the buyer a wait, never the money."""
    at_once = asyncio.Semaphore(ASK_AT_ONCE_MAX)

    async def look_after(due: Due) -> None:
        async with at_once:
            try:
                await callbacks.look_after(due, last_ask_seconds=last_ask_seconds)
            except Exception as error:  # one that fails must not keep the others from their answer
                log.warning("payment_not_asked", checkout_id=str(due.checkout.id), exc_info=error)

    async def run() -> bool:
        async with db.transaction() as tx:
            due = await checkouts.take_due(tx, limit=ASK_BATCH_MAX, lease_seconds=LEASE_SECONDS)
        async with asyncio.TaskGroup() as group:
            for each in due:
                group.create_task(look_after(each))
        return len(due) == ASK_BATCH_MAX

    return Periodic("ask-for-payments", every_seconds, run)
