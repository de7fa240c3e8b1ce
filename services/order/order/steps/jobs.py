"""Makes the outside calls: mark as sent and commit, call, then settle over the locked orders.

A crash between any two is harmless: the lease ends, the step is taken again, and the outside,
asked under the same reference, answers the same.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from kit.db import Database, Transaction
from kit.errors import Unavailable
from kit.logging import get_logger
from kit.periodic import Periodic
from order.orders import service as orders
from order.orders.domain import Change
from order.orders.service import Locked
from order.step_kinds import HasLastWord, StepKind
from order.steps import service
from order.steps.domain import Answer, Answered, Done, Step, StepState, Unknown

STEP_BATCH_MAX = 50

log = get_logger(__name__)

Kinds = Mapping[str, StepKind]
Answers = Sequence[tuple[Step, Answer]]


def make_steps(
    db: Database, kinds: Kinds, *, every_seconds: float, lease_seconds: float
) -> Periodic:
    """Makes the calls that are due, a bounded batch at a time; workers share them.

    A call that takes longer than half the lease has no answer, so that no two ask at once.
    """
    lease = timedelta(seconds=lease_seconds)

    async def run() -> bool:
        async with db.transaction() as tx:
            due = await service.take_due(tx, list(kinds), limit=STEP_BATCH_MAX, lease=lease)
        if due:
            calls = [_call(kinds[step.kind], step, lease_seconds / 2) for step in due]
            answers = await asyncio.gather(*calls)
            for own in _apart(kinds, list(zip(due, answers, strict=True))):
                await _record(db, kinds, own)
        return len(due) == STEP_BATCH_MAX

    return Periodic("make-steps", every_seconds, run)


async def _call(kind: StepKind, step: Step, seconds_max: float) -> Answer:
    try:
        async with asyncio.timeout(seconds_max):
            return await kind.call(step)
    except Unavailable as error:
        return Unknown(error.detail)
    except TimeoutError:
        return Unknown("no answer in time")
    except Exception as error:
        # A bug or an answer nobody can read: whether it happened outside is not known.
        log.exception("step_unclear", kind=step.kind, step_id=str(step.id))
        return Unknown(type(error).__name__)


def _apart(kinds: Kinds, answers: Answers) -> Sequence[Answers]:
    """Those of each kind that has a last word by themselves. Each locks purchase limits in their
    order; two in one transaction would not, and could wait in a circle with an order being placed.
    """
    parts: defaultdict[str, list[tuple[Step, Answer]]] = defaultdict(list)
    for step, answer in answers:
        has_last_word = isinstance(kinds[step.kind], HasLastWord)
        parts[step.kind if has_last_word else ""].append((step, answer))
    return list(parts.values())


async def _record(db: Database, kinds: Kinds, answers: Answers) -> None:
    """Alone, each answer shows whether it is the one that cannot be settled."""
    try:
        async with db.transaction() as tx:
            await settle(tx, kinds, answers)
    except Unavailable:
        raise
    except Exception as error:
        if len(answers) > 1:
            for answer in answers:
                await _record(db, kinds, [answer])
            return
        [(step, _)] = answers
        log.exception("step_not_settled", kind=step.kind, step_id=str(step.id))
        async with db.transaction() as tx:
            unclear = Unknown(f"not settled: {type(error).__name__}")
            await service.end(tx, await service.lock_answered(tx, [(step, unclear)]))


async def settle(tx: Transaction, kinds: Kinds, answers: Answers) -> None:
    """Ends steps over their locked orders, in one transaction with what follows from it."""
    locked = await orders.lock_many(tx, {step.order_id for step, _ in answers})
    answered = await service.lock_answered(tx, answers)
    answered = await _confirmed(tx, kinds, locked, answered)
    changes: dict[UUID, Change] = {}
    for one in answered:
        order_id, cause = one.step.order_id, f"step:{one.step.id}"
        change = changes.get(order_id) or Change(locked.get(order_id), cause)
        changes[order_id] = _settle(kinds[one.step.kind], change.because(cause), one)
    await service.end(tx, answered)
    await orders.save_many(tx, list(changes.values()))


async def _confirmed(
    tx: Transaction, kinds: Kinds, locked: Locked, answered: Sequence[Answered]
) -> Sequence[Answered]:
    """What was done outside, as the kinds that have a last word leave it."""
    done = [one for one in answered if isinstance(one.answer, Done)]
    refused: dict[UUID, str] = {}
    for name in {one.step.kind for one in done}:
        kind = kinds[name]
        if isinstance(kind, HasLastWord):
            own = [one.step for one in done if one.step.kind == name]
            pairs = [(locked.get(step.order_id), step) for step in own]
            refused |= await kind.confirm(tx, pairs)
    return [one.refused(why) if (why := refused.get(one.step.id)) else one for one in answered]


def _settle(kind: StepKind, change: Change, answered: Answered) -> Change:
    step = answered.step
    ids = {"step_id": str(step.id), "step": step.kind, "line_id": str(step.line_id or "")}
    if step.state is StepState.UNKNOWN and step.attempt == 1:
        change = change.told(
            "step_unknown", f"{step.kind}: outcome unknown, being asked", **ids, why=step.last_error
        )
    if step.state is StepState.MANUAL:
        change = change.told(
            "step_manual",
            f"{step.kind}: still unknown, a person decides",
            **ids,
            why=step.last_error,
        )
    return kind.settle(change, step, answered.answer)
