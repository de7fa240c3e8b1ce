"""Bought codes: sealed as they come, written with their purchase, brought to the vault."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from fulfillment.arrivals import events
from fulfillment.arrivals.domain import (
    NOTHING_STORED,
    UNITS_MAX,
    Arrival,
    ArrivalHasPool,
    ArrivalNotFound,
    ArrivalState,
    Arrived,
    Origin,
    PoolNotForArrival,
    PoolOfArrivalUnknown,
    Sealed,
    SealingKey,
    Standing,
    Stored,
    Unsealable,
    fits,
    lot_of,
    pause_after,
)
from fulfillment.arrivals.repository import ArrivalRepository
from fulfillment.cases.domain import CLAIMED, Case
from fulfillment.cases.service import CaseService
from fulfillment.connector import Code
from fulfillment.stock_sealing import seal_codes
from fulfillment.tasks.service import wake_tasks
from fulfillment.vault import Refused
from fulfillment.vault_stock import VaultStock
from kit.db import Database, Transaction
from kit.errors import Unavailable
from kit.ids import new_id
from kit.logging import get_logger
from kit.messaging import outbox
from kit.money import Money

log = get_logger(__name__)

KEY_SECONDS = 60.0
"""A key is asked for again after so long."""
KEY_SECONDS_MAX = 300.0
"""And used so long at most while the vault is silent: a retired one is taken for ten minutes."""
RESEAL_PAUSE = timedelta(minutes=5)
CODES_REFUSED = "codes_refused"
CODES_MISSING = "codes_missing"
CODES_HOMELESS = "codes_without_pool"
CODES_NOT_STORED = "codes_not_stored"
CODES_LOST = "codes_lost"
KEY_RETIRED = "sealing_key_retired"


class ArrivalService:
    """`lease`: how long a lot is one worker's alone while it is brought to the vault."""

    def __init__(
        self, repository: ArrivalRepository, cases: CaseService, vault: VaultStock, lease: timedelta
    ) -> None:
        self._repository = repository
        self._cases = cases
        self._vault = vault
        self._lease = lease
        self._key: SealingKey | None = None
        self._key_since = 0.0

    async def key(self) -> SealingKey | None:
        """What codes are sealed to; None while the vault does not say. Never inside a
        transaction.
        """
        now = asyncio.get_running_loop().time()
        if self._key is not None and now - self._key_since < KEY_SECONDS:
            return self._key
        try:
            self._key = await self._vault.sealing_key()
            self._key_since = now
        except Unavailable:
            if now - self._key_since >= KEY_SECONDS_MAX:
                self._key = None
        return self._key

    def seal(self, origin: Origin, codes: Sequence[Code], key: SealingKey) -> Sealed | None:
        """The codes of a purchase in their boxes; None when they fit into none."""
        if len(codes) > UNITS_MAX:
            log.error("too_many_codes", purchase_id=str(origin.purchase_id), came=len(codes))
            return None
        try:
            lot = seal_codes(
                codes,
                key,
                merchant_id=origin.merchant_id,
                lot_id=lot_of(origin.purchase_id),
                cost_minor=origin.cost.amount_minor,
            )
        except Unsealable:
            # Without the error: its traceback would be a way to the code.
            log.error("code_too_long", purchase_id=str(origin.purchase_id))  # noqa: TRY400
            return None
        return Sealed(origin, lot)

    async def add(self, tx: Transaction, sealed: Sequence[Sealed]) -> None:
        """Writes boxes down with what they were bought as, in the transaction that says that it
        was bought. A purchase's codes are written once. Publishes PurchaseMade.
        """
        if not sealed:
            return
        written = await self._repository.add(tx, sealed)
        new = [each for each in sealed if each.origin.purchase_id in written]
        for each in new:
            message = events.purchase_made(each)
            outbox.add(tx, message, key=each.origin.purchase_id, merchant_id=message.merchant_id)
        await self._cases.open_many(tx, [case for each in new for case in _cases_of(each)])

    async def take(self, tx: Transaction, limit: int) -> list[Arrival]:
        """Lots that the vault should have now, this caller's alone until the lease ends."""
        return await self._repository.take(tx, new_id(), self._lease, limit)

    async def bring(self, arrival: Arrival) -> Stored | Refused:
        """Outside of any transaction; as often as needed. Raises Unavailable."""
        return await self._vault.store(arrival)

    async def record(self, tx: Transaction, arrival: Arrival, answer: Stored | Refused) -> None:
        """What the vault said of a lot. Whoever waits for it is woken. Publishes
        PurchaseStocked.
        """
        if isinstance(answer, Stored):
            await self._end(tx, arrival, answer)
            return
        await self._cases.open_many(tx, [_not_stored(arrival, answer)])
        if answer.code == KEY_RETIRED:
            # Nobody can open these boxes any more: the supplier is asked for the codes again.
            await self._repository.reseal(tx, arrival)
        else:
            # The whole lot, for a reason of its pool or of ours: the boxes stay.
            pause = pause_after(arrival.tries)
            await self._repository.postpone(tx, arrival, pause, refused_as=answer.code)

    async def _end(self, tx: Transaction, arrival: Arrival, stored: Stored) -> None:
        state = ArrivalState.STORED if stored.accepted else ArrivalState.REFUSED
        if not await self._repository.end(tx, arrival, state, stored):
            return
        _tell(tx, arrival, stored)
        origin = arrival.origin
        about = origin.merchant_id, CODES_NOT_STORED, str(origin.purchase_id)
        await self._cases.pass_over(tx, *about, "the vault has taken the lot")
        if stored.accepted < len(arrival.lot.units):
            await self._cases.open_many(tx, [_refused(arrival, stored)])
        if origin.waiter_id is not None:
            await wake_tasks(tx, [origin.waiter_id])

    async def postpone(self, tx: Transaction, arrival: Arrival) -> None:
        """The vault does not answer: again later."""
        await self._repository.postpone(tx, arrival, pause_after(arrival.tries))

    async def take_resealing(self, tx: Transaction, limit: int) -> list[Arrival]:
        """Those whose codes must be asked for again, because the key they were sealed to is no
        more.
        """
        return await self._repository.take_resealing(tx, RESEAL_PAUSE, limit)

    async def lose(self, tx: Transaction, arrivals: Sequence[Arrival]) -> None:
        """Their suppliers cannot say these codes again: a person must ask. Whoever waits is woken.
        Publishes PurchaseStocked: none of them came into stock.
        """
        ids = await self._repository.lose(tx, [it.origin.purchase_id for it in arrivals])
        lost = [it for it in arrivals if it.origin.purchase_id in ids]
        await self._cases.open_many(tx, [_lost(it) for it in lost])
        for each in lost:
            _tell(tx, each, NOTHING_STORED)
        waiters = [it.origin.waiter_id for it in lost]
        await wake_tasks(tx, [it for it in waiters if it is not None])

    async def place(
        self, db: Database, merchant_id: UUID, lot_id: UUID, pool_id: UUID, who: str
    ) -> Standing:
        """Names the pool for codes that have none, or that the vault refused as a whole; the same
        pool again is harmless. The vault is asked what the pool is for first, with no transaction
        open: codes of another kind would be refused one by one, and be gone. Raises
        ArrivalNotFound, ArrivalHasPool, PoolOfArrivalUnknown, PoolNotForArrival, Unavailable.
        """
        async with db.read() as tx:
            found = await self.get(tx, merchant_id, lot_id)
        if found.origin.pool_id == pool_id:
            return found
        pool = await self._vault.pool(merchant_id, pool_id)
        if isinstance(pool, Refused):
            raise PoolOfArrivalUnknown(pool_id=str(pool_id))
        if not fits(found.kind, pool.unit_kind):
            raise PoolNotForArrival(needed=found.kind, pool_kind=pool.unit_kind)
        async with db.transaction() as tx:
            if not await self._repository.place(tx, merchant_id, lot_id, pool_id, who):
                raise ArrivalHasPool
            about = merchant_id, CODES_HOMELESS, str(found.origin.purchase_id)
            await self._cases.pass_over(tx, *about, f"{who} named the pool {pool_id}")
            placed = await self.get(tx, merchant_id, lot_id)
        log.info("codes_placed", lot_id=str(lot_id), pool_id=str(pool_id), by=who)
        return placed

    async def get(self, tx: Transaction, merchant_id: UUID, lot_id: UUID) -> Standing:
        """Raises ArrivalNotFound."""
        found = await self._repository.find(tx, merchant_id, lot_id)
        if found is None:
            raise ArrivalNotFound
        return found

    async def list_arrivals(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        state: str | None,
        is_homeless: bool | None,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> Sequence[Standing]:
        """The merchant's, newest first."""
        return await self._repository.list_arrivals(
            tx, merchant_id, state=state, is_homeless=is_homeless, after=after, limit=limit
        )

    async def find_for_procurements(
        self, tx: Transaction, procurement_ids: Sequence[UUID]
    ) -> list[tuple[UUID, Arrived]]:
        """By procurement: what became of the codes that were bought for it so far."""
        return await self._repository.find_for_procurements(tx, procurement_ids)


def _tell(tx: Transaction, arrival: Arrival, stored: Stored) -> None:
    message = events.purchase_stocked(arrival, stored)
    outbox.add(tx, message, key=arrival.origin.purchase_id, merchant_id=message.merchant_id)


def _lost(arrival: Arrival) -> Case:
    details = {"wanted": arrival.origin.wanted, "lot_id": str(arrival.lot.lot_id)}
    cost = arrival.refused_cost(NOTHING_STORED)
    return _claimed(_case(CODES_LOST, arrival.origin, details), cost)


def _not_stored(arrival: Arrival, refused: Refused) -> Case:
    details = {"code": refused.code, "pool_id": str(arrival.origin.pool_id)}
    return replace(_case(CODES_NOT_STORED, arrival.origin, details), is_once=False)


def _cases_of(sealed: Sealed) -> list[Case]:
    """What of a purchase is not as it was ordered."""
    origin, came = sealed.origin, len(sealed.lot.units)
    cases = []
    if origin.pool_id is None:
        cases.append(_case(CODES_HOMELESS, origin, {"came": came}))
    if came != origin.wanted:
        cases.append(_case(CODES_MISSING, origin, {"came": came, "wanted": origin.wanted}))
    return cases


def _refused(arrival: Arrival, stored: Stored) -> Case:
    lost = len(arrival.lot.units) - stored.accepted
    reasons = dict(stored.reasons)
    details = {"refused": lost, "reasons": reasons, "lot_id": str(arrival.lot.lot_id)}
    return _claimed(_case(CODES_REFUSED, arrival.origin, details), arrival.refused_cost(stored))


def _claimed(case: Case, cost: Money | None) -> Case:
    """What was paid for nothing is asked back of the supplier."""
    if cost is None:
        return case
    return replace(case, amount=cost, details={**case.details, CLAIMED: True})


def _case(kind: str, origin: Origin, details: Mapping[str, object]) -> Case:
    return Case(
        merchant_id=origin.merchant_id,
        kind=kind,
        subject=str(origin.purchase_id),
        supplier=origin.supplier,
        purchase_id=origin.purchase_id,
        order_id=origin.order_id,
        procurement_id=origin.procurement_id,
        amount=origin.cost,
        details=details,
    )
