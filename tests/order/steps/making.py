"""Steps of orders that exist, a kind that answers what it is told, and the worker's round."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Database
from order.orders import service as orders
from order.orders.domain import Change, Order
from order.step_kinds import StepKind
from order.steps import jobs
from order.steps import service as steps
from order.steps.domain import Answer, Done, Step, plan


class MoodyKind:
    """Answers what it is told to, remembers what it was asked, and tells what it settled."""

    name = "moody"

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[UUID] = []

    async def call(self, step: Step) -> Answer:
        self.asked.append(step.ext_ref)
        answer = self.answers.pop(0) if self.answers else Done()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def settle(self, change: Change, step: Step, answer: Answer) -> Change:
        return change.told("moody", type(answer).__name__, step_id=str(step.id))


def a_step(order: Order, kind: str = "moody", **given: Any) -> Step:
    return plan(order.merchant_id, order.id, kind, **given)


async def planned(db: Database, order: Order, *given: Step) -> None:
    """Steps as a decision about the order writes them."""
    async with db.transaction() as tx:
        locked, _ = await orders.lock_own(tx, order.merchant_id, order.id)
        change = Change(locked, "test").told("decided", "steps are due").with_steps(*given)
        await orders.save_many(tx, [change])


async def make_due(db: Database, *, is_late: bool = False) -> None:
    """As if every pause were over, and every deadline too."""
    late = ", deadline_at = clock_timestamp()" if is_late else ""
    async with db.transaction() as tx:
        await tx.execute(text(f"UPDATE saga_step SET next_at = clock_timestamp(){late}"))  # noqa: S608


async def run(db: Database, kinds: Mapping[str, StepKind], *, lease_seconds: float = 60) -> bool:
    """One round of the worker."""
    job = jobs.make_steps(db, kinds, every_seconds=1, lease_seconds=lease_seconds)
    return bool(await job._run())


async def steps_of(db: Database, order: Order) -> Sequence[Step]:
    async with db.read() as tx:
        return await steps.find_of_orders(tx, [order.id])
