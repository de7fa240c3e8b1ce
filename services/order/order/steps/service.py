"""Steps: planned by decisions, taken by a worker, settled over the locked order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from kit.db import Transaction
from order.steps import repository
from order.steps.domain import (
    Answer,
    Answered,
    Step,
    StepNotFound,
    StepState,
    judge,
    pause_of,
)


async def plan(tx: Transaction, steps: Sequence[Step]) -> None:
    """Writes steps down in the transaction that decided them; one planned before stays."""
    if steps:
        await repository.add_many(tx, steps)


async def take_due(
    tx: Transaction, kinds: Sequence[str], *, limit: int, lease: timedelta
) -> Sequence[Step]:
    """Steps to make now, marked `sent`; they come back after the lease unless they are ended."""
    return await repository.take_due(tx, kinds, limit=limit, lease=lease)


async def lock_answered(
    tx: Transaction, answers: Sequence[tuple[Step, Answer]]
) -> Sequence[Answered]:
    """Those answers whose step nobody else took since, the steps locked."""
    own = await repository.lock_own(tx, [step for step, _ in answers])
    return [
        judge(own[step.id].step, answer, is_late=own[step.id].is_late)
        for step, answer in answers
        if step.id in own
    ]


async def end(tx: Transaction, answered: Sequence[Answered]) -> None:
    """Writes what came of locked steps, and that what they undid is undone."""
    if not answered:
        return
    await repository.end_many(tx, [(one.step, pause_of(one)) for one in answered])
    ok = [one.step for one in answered if one.step.state is StepState.OK]
    undone = [UUID(step.undoes) for step in ok if step.undoes]
    if undone:
        await repository.compensate(tx, undone)


async def find_of_orders(tx: Transaction, order_ids: Sequence[UUID]) -> Sequence[Step]:
    """Every step of these orders, the oldest first."""
    return await repository.find_of_orders(tx, order_ids)


async def wake(tx: Transaction, kind: str, units: Mapping[UUID, int]) -> None:
    """Units came back to these pools: steps that wait for them ask now, whoever has waited longest
    first, and no more of them than the units suffice for. One statement.
    """
    if units:
        await repository.wake(tx, kind, units)


async def revive(tx: Transaction, step_id: UUID) -> bool:
    """Makes a step that waits due now, with a new deadline; False when it is under way or over."""
    return await repository.revive(tx, step_id)


async def lock(tx: Transaction, step_id: UUID) -> Step:
    """Raises StepNotFound."""
    step = await repository.lock(tx, step_id)
    if step is None:
        raise StepNotFound(step_id=str(step_id))
    return step


async def skip(tx: Transaction, step: Step, why: str) -> Step:
    """A locked order's step is not wanted any more; answers it as it is now."""
    step = replace(step, state=StepState.SKIPPED, last_error=why)
    await repository.end_many(tx, [(step, timedelta())])
    return step
