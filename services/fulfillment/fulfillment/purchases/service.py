"""Buying of suppliers: each outside call is committed as sent before it is made.

`buy` takes `db`, not `tx`: one transaction says what is about to be sent, the calls are made
outside of any, another writes down what came of them. A crash in between leaves `sent`, and the
next turn asks for the reference. A slow call goes on by itself, so that it holds up no neighbour;
what such calls answer is written down together. Codes that come are in their boxes before that
other transaction begins.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from fulfillment.arrivals.domain import RESEALS_MAX, Arrival, Sealed
from fulfillment.arrivals.service import ArrivalService
from fulfillment.calling import Turn, answer_of, seen_of, turn_of, without_fault
from fulfillment.cases.service import CaseService
from fulfillment.connector import Done, NotSent, Report, Told, Unknown
from fulfillment.late_calls import LateCalls
from fulfillment.manual_tasks.domain import ManualState, id_of
from fulfillment.manual_tasks.service import ManualTaskService
from fulfillment.purchases import domain
from fulfillment.purchases.domain import (
    Bought,
    Limits,
    Purchase,
    PurchaseNotFound,
    PurchaseState,
    Step,
    Want,
)
from fulfillment.purchases.repository import PurchaseRepository
from fulfillment.routing.domain import Seen
from fulfillment.routing.service import RoutingService
from fulfillment.suppliers.domain import Account
from fulfillment.suppliers.service import SupplierService
from fulfillment.tasks.service import wake_tasks
from kit.db import Database, Transaction
from kit.errors import Unavailable
from kit.logging import get_logger
from kit.money import Money

log = get_logger(__name__)

NOT_SET_UP = "supplier_not_set_up"
PAUSED = "supplier_paused"
CIRCUIT_OPEN = "circuit_open"
NO_CODES = "no_codes"
NOT_SEALED = "not_sealed"

Accounts = Mapping[tuple[UUID, str], Account]


class PurchaseService:
    """`patience`: how long a turn waits for slow suppliers before it goes on without them."""

    def __init__(
        self,
        repository: PurchaseRepository,
        suppliers: SupplierService,
        manual_tasks: ManualTaskService,
        arrivals: ArrivalService,
        cases: CaseService,
        routing: RoutingService,
        limits: Limits,
        patience: timedelta,
    ) -> None:
        self._repository = repository
        self._suppliers = suppliers
        self._manual_tasks = manual_tasks
        self._arrivals = arrivals
        self._cases = cases
        self._routing = routing
        self._limits = limits
        self._patience = patience
        self._late = LateCalls(self._record_late)

    async def buy(self, db: Database, wants: Sequence[Want]) -> list[Bought]:
        """One turn for each, in order. May be called again for the same after any crash."""
        await self._late.make_room(self._patience.total_seconds())
        async with db.transaction() as tx:
            turns = await self._begin(tx, wants)
        calls = {asyncio.create_task(answer_of(turn)): turn for turn in turns}
        if calls:
            await asyncio.wait(calls, timeout=self._patience.total_seconds())
        answered = [(turn, call.result()) for call, turn in calls.items() if call.done()]
        for call, turn in calls.items():
            if not call.done():
                self._late.go_on(db, turn, call)
        answered, sealed = await self._seal(answered)
        async with db.transaction() as tx:
            seen = await self._record(tx, answered, sealed)
            bought = await self._standing(tx, wants)
        await self._note(db, seen)
        return bought

    async def ask_again(self, db: Database, limit: int) -> bool:
        """Asks once more for what was given up without the supplier's word, and for codes that must
        be sealed anew. Whether there may be more. Only a success changes anything.
        """
        async with db.transaction() as tx:
            resealing = await self._arrivals.take_resealing(tx, limit)
            ids = [each.origin.purchase_id for each in resealing]
            ids += await self._repository.take_given_up(tx, limit)
            found = await self._repository.lock_many(tx, ids) if ids else {}
            keys = {(each.merchant_id, each.supplier) for each in found.values()}
            accounts = await self._suppliers.find_accounts(tx, sorted(keys)) if keys else {}
            lost = [it for it in resealing if _is_lost(it, accounts)]
            await self._arrivals.lose(tx, lost)
        # Nobody would keep their codes any more.
        is_over = {it.origin.purchase_id for it in lost}
        began = asyncio.get_running_loop().time()
        turns = [
            turn_of(each, Step.ASK, accounts, Want(each, ""), began)
            for each in found.values()
            if (each.merchant_id, each.supplier) in accounts and each.id not in is_over
        ]
        reports = await asyncio.gather(*(answer_of(turn) for turn in turns))
        answered, sealed = await self._seal(list(zip(turns, reports, strict=True)))
        done = [(turn, report) for turn, report in answered if isinstance(report, Done)]
        async with db.transaction() as tx:
            seen = await self._record(tx, done, sealed)
        await self._note(db, seen)
        return len(ids) >= limit

    async def close(self) -> None:
        """Calls that are still under way end with the process: they are asked for afterwards."""
        await self._late.close()

    async def hear(self, tx: Transaction, told: Told, *, can_be_asked: bool) -> None:
        """The supplier has said so by itself: a hint to ask it now. A definite outcome stays; a
        success after it is noted for a person, or asked about where its codes belong in a pool and
        the supplier `can_be_asked` for a reference.
        """
        purchase = (await self._repository.lock_many(tx, [told.reference]))[told.reference]
        if purchase.state not in domain.SETTLED:
            await wake_tasks(tx, [purchase.waiter])
        elif purchase.state is PurchaseState.DONE or not told.is_success:
            return
        elif purchase.pool_id and can_be_asked:
            await self._repository.recheck_now(tx, purchase.id)
        else:
            said = replace(purchase, supplier_reference=told.supplier_reference)
            late = await self._repository.note_late_successes(tx, [said])
            await self._cases.open_many(tx, [domain.late_case(each, None) for each in late])

    async def get(self, tx: Transaction, merchant_id: UUID, purchase_id: UUID) -> Purchase:
        """Raises PurchaseNotFound."""
        found = await self._repository.find(tx, merchant_id, purchase_id)
        if found is None:
            raise PurchaseNotFound
        return found

    async def find_for_procurements(
        self, tx: Transaction, procurement_ids: Sequence[UUID]
    ) -> Mapping[UUID, Sequence[Purchase]]:
        """By procurement: its purchases in the order they were begun."""
        return await self._repository.find_for_procurements(tx, procurement_ids)

    async def find_for_deliveries(
        self, tx: Transaction, delivery_ids: Sequence[UUID]
    ) -> Mapping[UUID, Sequence[Purchase]]:
        """By delivery: its purchases in the order they were begun."""
        return await self._repository.find_for_deliveries(tx, delivery_ids)

    async def list_purchases(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        order_id: UUID | None,
        state: str | None,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> Sequence[Purchase]:
        """The merchant's purchases, newest first."""
        return await self._repository.list_purchases(
            tx, merchant_id, order_id=order_id, state=state, after=after, limit=limit
        )

    async def _begin(self, tx: Transaction, wants: Sequence[Want]) -> list[Turn]:
        """Intents written, people's decisions taken over, and what will be sent marked as sent."""
        await self._repository.add(tx, [want.purchase for want in wants])
        found = await self._repository.lock_many(tx, [want.purchase.id for want in wants])
        found = await self._decide_by_hand(tx, found)
        open_ones = [each for each in found.values() if each.state not in domain.SETTLED]
        keys = {(each.merchant_id, each.supplier) for each in open_ones}
        accounts = await self._suppliers.hold_accounts(tx, sorted(keys)) if keys else {}
        steps = await self._steps(tx, open_ones, accounts)
        await self._hold_back(tx, wants, found, steps)
        waiting = [it for it in open_ones if steps.get(it.id, Step.WAIT) is Step.WAIT]
        await self._leave_alone(tx, waiting, accounts)
        sends = [key for key, step in steps.items() if step is Step.SEND]
        found |= await self._repository.mark_sent(tx, sends) if sends else {}
        began = asyncio.get_running_loop().time()
        return [
            turn_of(found[want.purchase.id], steps[want.purchase.id], accounts, want, began)
            for want in wants
            if steps.get(want.purchase.id, Step.WAIT) is not Step.WAIT
        ]

    async def _steps(
        self, tx: Transaction, purchases: Sequence[Purchase], accounts: Accounts
    ) -> dict[UUID, Step]:
        """What was never sent fails at once when its supplier is not there or paused."""
        steps: dict[UUID, Step] = {}
        refused: list[tuple[Purchase, Purchase]] = []
        for each in purchases:
            account = accounts.get((each.merchant_id, each.supplier))
            fresh = each.state is PurchaseState.INTENT and each.tries == 0
            if fresh and (account is None or not account.is_enabled):
                reason = NOT_SET_UP if account is None else PAUSED
                refused.append((each, domain.failed(each, reason)))
            elif account is not None:
                steps[each.id] = domain.next_step(each, account.terms)
        if refused:
            await self._repository.save(tx, refused)
        return steps

    async def _hold_back(
        self,
        tx: Transaction,
        wants: Sequence[Want],
        found: Mapping[UUID, Purchase],
        steps: dict[UUID, Step],
    ) -> None:
        """What would be sent to a supplier whose circuit is open is not. That is a definite no
        where somebody else can be asked, or where it has waited for too long.
        """
        sending = [it for it in wants if steps.get(it.purchase.id) is Step.SEND]
        # Of the row that stands: another worker may have chosen another offer before.
        keys = [(it.merchant_id, it.supplier) for it in (found[w.purchase.id] for w in sending)]
        admitted = await self._routing.admit(tx, keys) if keys else []
        refused = []
        for want, may_be_sent in zip(sending, admitted, strict=True):
            each = found[want.purchase.id]
            if may_be_sent:
                continue
            steps[each.id] = Step.WAIT
            if each.tries == 0 and (want.has_next or each.waited >= self._limits.unsent):
                refused.append((each, domain.failed(each, CIRCUIT_OPEN)))
        if refused:
            await self._repository.save(tx, refused)

    async def _leave_alone(
        self, tx: Transaction, waiting: Sequence[Purchase], accounts: Accounts
    ) -> None:
        """What nobody is asked about in this turn grows old all the same."""
        left = []
        for each in waiting:
            account = accounts.get((each.merchant_id, each.supplier))
            after = domain.left_alone(each, account.terms if account else domain.GONE)
            if after != each:
                left.append((each, after))
        if left:
            await self._repository.save(tx, left)
            await self._hand_over(tx, [after for _, after in left])

    async def _decide_by_hand(
        self, tx: Transaction, found: dict[UUID, Purchase]
    ) -> dict[UUID, Purchase]:
        """A person has looked: her word settles what no supplier could tell."""
        asked = {id_of(it.id): it for it in found.values() if it.state is PurchaseState.MANUAL}
        if not asked:
            return found
        decided = []
        for task in await self._manual_tasks.find_many(tx, list(asked)):
            if task.state in (ManualState.COMPLETED, ManualState.FAILED):
                purchase = asked[task.id]
                decided.append((purchase, domain.by_hand(purchase, task)))
        if decided:
            await self._repository.save(tx, decided)
        return found | {after.id: after for _, after in decided}

    async def _record_late(self, db: Database, late: Sequence[tuple[Turn, Report]]) -> None:
        """What slow calls answered; whoever waits for it is woken."""
        answered, sealed = await self._seal(late)
        async with db.transaction() as tx:
            # In the order in which everybody locks them.
            await self._repository.lock_many(tx, [turn.purchase.id for turn, _ in answered])
            seen = await self._record(tx, answered, sealed)
            await wake_tasks(tx, [turn.purchase.waiter for turn, _ in answered])
        await self._note(db, seen)

    async def _seal(
        self, answered: Sequence[tuple[Turn, Report]]
    ) -> tuple[list[tuple[Turn, Report]], list[Sealed]]:
        """Takes the codes out of the answers and puts them into boxes. Codes that cannot be sealed
        now are asked for again: they are nowhere written down.
        """
        bare: list[tuple[Turn, Report]] = []
        sealed: list[Sealed] = []
        for turn, said in answered:
            report = without_fault(turn, said)
            if not isinstance(report, Done) or not report.codes:
                lacks = isinstance(report, Done) and turn.purchase.pool_id is not None
                bare.append((turn, Unknown(NO_CODES) if lacks else report))
                continue
            key = await self._arrivals.key()
            origin = domain.origin_of(turn.purchase, report.cost)
            lot = self._arrivals.seal(origin, report.codes, key) if key else None
            if lot is not None and report.cost.currency == turn.purchase.cost_max.currency:
                sealed.append(lot)
            told = replace(report, codes=()) if lot else Unknown(NOT_SEALED)
            bare.append((turn, told))
        return bare, sealed

    async def _record(
        self,
        tx: Transaction,
        answered: Sequence[tuple[Turn, Report]],
        sealed: Sequence[Sealed],
    ) -> list[Seen]:
        changes = [(turn.purchase, self._settled(turn, report)) for turn, report in answered]
        if not changes:
            return []
        saved = await self._repository.save(tx, changes)
        done = [after for _, after in changes if after.state is PurchaseState.DONE]
        late = await self._repository.note_late_successes(tx, done) if done else []
        await self._keep(tx, sealed, late, {each.id: each.cost for each in done})
        await self._hand_over(tx, [after for _, after in changes if after.id in saved])
        return seen_of(answered, changes)

    async def _note(self, db: Database, seen: Sequence[Seen]) -> None:
        """In a transaction of its own: all workers share the rows of a supplier, and who waits for
        those must hold no purchase. What a crash or a busy database loses is a statistic.
        """
        if not seen:
            return
        try:
            async with db.transaction() as tx:
                await self._routing.note(tx, seen)
        except Unavailable:
            log.warning("supplier_not_noted", calls=len(seen))

    async def _keep(
        self,
        tx: Transaction,
        sealed: Sequence[Sealed],
        late: Sequence[Purchase],
        costs: Mapping[UUID, Money | None],
    ) -> None:
        """Codes go into stock, late or not; what else was done too late is a case."""
        given_up = {each.id for each in late}
        own = [
            replace(each, origin=replace(each.origin, is_late=True))
            if each.origin.purchase_id in given_up
            else each
            for each in sealed
        ]
        await self._arrivals.add(tx, own)
        boxed = {each.origin.purchase_id for each in sealed}
        cases = [domain.late_case(each, costs[each.id]) for each in late if each.id not in boxed]
        await self._cases.open_many(tx, cases)

    def _settled(self, turn: Turn, report: Report) -> Purchase:
        before, terms = turn.purchase, turn.account.terms
        if turn.step is Step.ASK and isinstance(report, NotSent):
            # The question was not heard: that says nothing about the purchase.
            report = Unknown(report.reason)
        after = domain.settle(before, report, terms, self._limits)
        # Where it cannot be asked for, the same again is the question.
        asks = turn.step is Step.ASK or (turn.wanted.is_repeat and not terms.query_by_ref)
        if after.is_dearer:
            log.error("bought_too_dear", purchase_id=str(after.id), supplier=after.supplier)
        return replace(after, asks=after.asks + asks)

    async def _hand_over(self, tx: Transaction, purchases: Sequence[Purchase]) -> None:
        """To people, what is undecided for too long; back from them, what is decided after all."""
        undecided = [each for each in purchases if each.state is PurchaseState.MANUAL]
        if undecided:
            await self._manual_tasks.open_many(
                tx, [domain.manual_task_of(each) for each in undecided]
            )
        settled = [each.id for each in purchases if each.state in domain.SETTLED]
        if settled:
            await self._manual_tasks.withdraw_many(tx, [id_of(each) for each in settled])

    async def _standing(self, tx: Transaction, wants: Sequence[Want]) -> list[Bought]:
        found = await self._repository.lock_many(tx, [want.purchase.id for want in wants])
        failed = [it.owner for it in found.values() if it.state is PurchaseState.FAILED]
        refusals = await self._repository.find_refusals(tx, failed) if failed else {}
        bought = []
        for want in wants:
            purchase = found[want.purchase.id]
            pause = domain.pause_of(purchase, self._limits)
            bought.append(Bought(purchase, pause, refusals.get(purchase.owner, ())))
        return bought


def _is_lost(arrival: Arrival, accounts: Accounts) -> bool:
    """Whether nobody can say these codes again: repeating an order so late may buy a second time,
    so a supplier that cannot be asked for a reference is not.
    """
    account = accounts.get((arrival.origin.merchant_id, arrival.origin.supplier))
    return account is None or not account.terms.query_by_ref or arrival.tries > RESEALS_MAX
