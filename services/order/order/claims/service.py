"""What fulfilment says about claims, applied to locked orders: many at once, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from kit.db import Transaction
from order.claims import domain
from order.claims.domain import DecidedClaim, OpenedClaim
from order.deliveries import service as deliveries
from order.orders import service as orders
from order.orders.domain import Change
from order.refunds import service as refunds

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Told(Generic[C]):
    """What was said of a claim of an order, and the event that said it."""

    order_id: UUID
    claim: C
    cause: str


async def note_opened(tx: Transaction, told: Sequence[Told[OpenedClaim]]) -> None:
    """Writes claims into their orders' stories. Raises OrderNotFound."""
    locked = await orders.lock_many(tx, {it.order_id for it in told})
    changes: dict[UUID, Change] = {}
    for it in told:
        change = changes.get(it.order_id) or Change(locked.get(it.order_id), it.cause)
        changes[it.order_id] = domain.note_opened(change.because(it.cause), it.claim)
    await orders.save_many(tx, list(changes.values()))


async def settle(tx: Transaction, told: Sequence[Told[DecidedClaim]]) -> None:
    """How claims ended: told, refunded where that was decided, the new units noted. A claim that
    was refunded before changes nothing. Raises OrderNotFound.
    """
    locked = await orders.lock_many(tx, {it.order_id for it in told})
    known = await refunds.find_requests(tx, [it.claim.claim_id for it in told])
    changes: dict[UUID, Change] = {}
    for it in told:
        if it.claim.claim_id in known:
            continue
        change = changes.get(it.order_id) or Change(locked.get(it.order_id), it.cause)
        changes[it.order_id] = domain.settle(change.because(it.cause), it.claim)
    await orders.save_many(tx, list(changes.values()))
    replaced = domain.latest([it.claim for it in told])
    if replaced:
        ids = [it.claim.delivery_id for it in told if it.claim.unit_id in replaced]
        await deliveries.replace_units(tx, ids, replaced)
