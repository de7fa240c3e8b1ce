"""What waits, and what a person does about it: each act is told on the order's timeline."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from order.checkouts import service as checkouts
from order.checkouts.domain import CheckoutState
from order.lines.domain import Line, LineStatus
from order.orders import service as orders
from order.orders.domain import Change, Order, OrderStatus
from order.payments import domain as money
from order.refunds import service as refunds
from order.refunds.domain import RefundStatus, RefundWanted
from order.saga import domain as saga
from order.step_kinds import StepKind
from order.steps import service as steps
from order.steps.domain import Failed, Step, StepState
from order.waits import repository
from order.waits.domain import (
    CALLS,
    LINES,
    UNDECIDED,
    Action,
    Backlog,
    NotPossible,
    OutcomeUnknown,
    Wait,
    WaitKind,
    WaitNotFound,
)


class WaitService:
    """`silence`: after so long without a word, an order that expects one is listed."""

    def __init__(self, kinds: Mapping[str, StepKind], *, silence: timedelta) -> None:
        self._kinds = kinds
        self._silence = silence

    async def list_waits(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        kind: str | None,
        age: timedelta,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> Sequence[Wait]:
        """The oldest first."""
        return await repository.list_waits(
            tx, merchant_id, silence=self._silence, kind=kind, age=age, after=after, limit=limit
        )

    async def count(self, tx: Transaction) -> Sequence[Backlog]:
        """How much waits, of all merchants."""
        return await repository.count(tx, silence=self._silence)

    async def retry(
        self, tx: Transaction, merchant_id: UUID, wait_id: UUID, action: Action
    ) -> Order:
        """Asks again now, by the same reference. Raises WaitNotFound, NotPossible."""
        wait, order = await self._locked(tx, merchant_id, wait_id)
        change = _told(Change(order, action.cause), wait, "retried", action)
        match wait.kind:
            case WaitKind.STEP | WaitKind.BACK_ORDER:
                if not await steps.revive(tx, wait.id):
                    raise NotPossible("the call is under way just now", possible=[])
            case WaitKind.REFUND:
                await refunds.hurry(tx, merchant_id, wait.id)
            case WaitKind.CHECKOUT:
                await checkouts.revive(tx, wait.id)
            case WaitKind.UNKNOWN_LINE | WaitKind.FULFILLMENT:
                line = _line_of(order, wait)
                change = saga.ask_again(change, line, await _hold_of(tx, order, line))
            case WaitKind.LOST:
                change = saga.reconsider(change)
            case _:
                raise NotPossible(f"it waits for {wait.what}", possible=_possible(wait))
        await orders.save_many(tx, [change])
        return change.order

    async def skip(
        self, tx: Transaction, merchant_id: UUID, wait_id: UUID, action: Action
    ) -> Order:
        """Gives an outside call up: the order goes on as if it had definitely failed.

        A payment that was begun counts as not paid.

        Raises WaitNotFound, NotPossible, OutcomeUnknown (it may have happened, and no force).
        """
        wait, order = await self._locked(tx, merchant_id, wait_id)
        if wait.kind is WaitKind.CHECKOUT:
            return await _give_up_payment(tx, order, wait, action)
        if wait.kind not in CALLS:
            raise NotPossible("only an outside call can be skipped", possible=_possible(wait))
        step = await steps.lock(tx, wait.id)
        if step.state is StepState.SENT:
            raise NotPossible("the call is under way just now", possible=["retry"])
        if step.state is not StepState.INTENT:
            _require_force(action)
        why = f"skipped: {action.reason}"
        step = await steps.skip(tx, step, why)
        change = _told(Change(order, action.cause), wait, "skipped", action)
        if kind := self._kinds.get(step.kind):
            change = kind.settle(change, step, Failed(why))
        await orders.save_many(tx, [change])
        return change.order

    async def refund(
        self, tx: Transaction, merchant_id: UUID, wait_id: UUID, action: Action
    ) -> Order:
        """Gives the money back instead of waiting: of the line, or of an order nobody cleared yet.

        Raises WaitNotFound, NotPossible, OutcomeUnknown (it may be delivered, and no force).
        """
        wait, order = await self._locked(tx, merchant_id, wait_id)
        if wait.kind in CALLS and wait.line_id is None:
            # A late payment whose goods are not held yet: given up, the money goes back.
            return await self.skip(tx, merchant_id, wait_id, action)
        change = _told(Change(order, action.cause), wait, "refunded", action)
        if wait.kind in UNDECIDED:
            wanted = RefundWanted(new_id(), action.reason, action.cause, ())
            change = money.refund(change, wanted)
        else:
            change = await self._refund_line(tx, change, wait, action)
        await orders.save_many(tx, [change])
        return change.order

    async def settle(
        self, tx: Transaction, merchant_id: UUID, wait_id: UUID, action: Action
    ) -> Order:
        """Somebody gave the money of a refused refund back in another way: it is done.

        Raises WaitNotFound, NotPossible.
        """
        wait, order = await self._locked(tx, merchant_id, wait_id)
        if not _is_refused(wait):
            raise NotPossible("only a refused refund can be settled", possible=_possible(wait))
        done = await refunds.settle_refused(tx, wait.id)
        if not done:
            raise NotPossible("its provider is being asked again just now", possible=["retry"])
        change = _told(Change(order, action.cause), wait, "settled", action)
        for refund in done:
            change = saga.settle_refund(change, refund)
        await orders.save_many(tx, [change])
        return change.order

    async def _refund_line(
        self, tx: Transaction, change: Change, wait: Wait, action: Action
    ) -> Change:
        line = next((it for it in change.order.lines if it.id == wait.line_id), None)
        if line is None or wait.kind is WaitKind.REFUND or not _is_open(change.order, line):
            raise NotPossible("there is no open line to refund", possible=_possible(wait))
        if wait.kind in LINES or line.status is LineStatus.UNKNOWN:
            _require_force(action)
        for step in await steps.find_of_orders(tx, [change.order.id]):
            # What is under way outside ends by itself: a hold that nobody waits for goes back.
            if step.line_id == line.id and step.state is StepState.INTENT:
                await steps.skip(tx, step, "refunded")
        return saga.give_up(change, line, f"refunded by hand: {action.reason}")

    async def _locked(
        self, tx: Transaction, merchant_id: UUID, wait_id: UUID
    ) -> tuple[Wait, Order]:
        """The wait as it is while its order is locked."""
        seen = await repository.find(tx, merchant_id, wait_id, silence=self._silence)
        if seen is None:
            raise WaitNotFound(wait_id=str(wait_id))
        order, _ = await orders.lock_own(tx, merchant_id, seen.order_id)
        wait = await repository.find(tx, merchant_id, wait_id, silence=self._silence)
        if wait is None:
            raise WaitNotFound(wait_id=str(wait_id))
        return wait, order


async def _give_up_payment(tx: Transaction, order: Order, wait: Wait, action: Action) -> Order:
    """Somebody looked: nothing came by it. What is told of it later still counts."""
    _require_force(action)
    await checkouts.end(tx, wait.id, CheckoutState.CLOSED, f"skipped: {action.reason}")
    change = _told(Change(order, action.cause), wait, "skipped", action)
    await orders.save_many(tx, [change])
    return change.order


async def _hold_of(tx: Transaction, order: Order, line: Line) -> str:
    """The hold of a later round is what its rung got; an earlier hold is the order's."""
    if line.round == 1:
        return str(order.reservation_id or "")
    for step in reversed(await steps.find_of_orders(tx, [order.id])):
        if _got_hold(step, line):
            return str(step.result["reservation_id"])
    return ""


def _got_hold(step: Step, line: Line) -> bool:
    is_of_round = step.line_id == line.id and step.args.get("round") == line.round
    return is_of_round and "reservation_id" in step.result


def _is_open(order: Order, line: Line) -> bool:
    is_unsettled = line.status in (LineStatus.PENDING, LineStatus.UNKNOWN)
    return order.status is OrderStatus.FULFILLING and is_unsettled


def _line_of(order: Order, wait: Wait) -> Line:
    return next(line for line in order.lines if line.id == wait.line_id)


def _require_force(action: Action) -> None:
    if not action.is_forced:
        raise OutcomeUnknown


def _is_refused(wait: Wait) -> bool:
    return wait.kind is WaitKind.REFUND and wait.state == RefundStatus.MANUAL


def _possible(wait: Wait) -> list[str]:
    if wait.kind in CALLS:
        return ["retry", "skip", "refund"]
    if wait.kind in LINES:
        return ["retry", "refund"]
    if wait.kind in UNDECIDED:
        return ["refund"]
    if _is_refused(wait):
        return ["retry", "settle"]
    if wait.kind is WaitKind.CHECKOUT:
        return ["retry", "skip"]
    return ["retry"] if wait.kind in (WaitKind.REFUND, WaitKind.LOST) else []


def _told(change: Change, wait: Wait, what: str, action: Action) -> Change:
    return change.told(
        f"wait_{what}",
        f"{wait.kind} {what} by hand: {action.reason}",
        wait_id=str(wait.id),
        wait=wait.kind.value,
        what=wait.what,
        state=wait.state,
        line_id=str(wait.line_id or ""),
        reason=action.reason,
        forced=action.is_forced,
    )
