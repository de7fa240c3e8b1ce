"""Lets paid orders go on, or holds them, as their channels want while risk is silent."""

from prometheus_client import Counter

from kit.db import Transaction
from kit.logging import get_logger
from order.orders import service as orders
from order.orders.domain import Change
from order.risk_defaults import domain, repository
from order.saga import domain as saga

log = get_logger(__name__)

APPLIED = Counter("lockstock_order_risk_defaults", "Orders decided while risk was silent")


async def apply_due(tx: Transaction, limit: int) -> int:
    """Decides at most `limit` orders; answers how many were due."""
    due = {each.order_id: each for each in await repository.list_due(tx, limit)}
    if not due:
        return 0
    locked = await orders.lock_many(tx, due)
    applied = [domain.apply(Change(it, "timer"), due[it.id]) for it in locked.orders.values()]
    changes = [saga.proceed(change) for change in applied if not change.is_empty]
    await orders.save_many(tx, changes)
    APPLIED.inc(len(changes))
    log.warning("risk_silent", orders=len(changes))
    return len(due)
