"""The worker's round: marked before it is called, settled with what follows, asked again."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database, Transaction
from kit.errors import Unavailable
from order.orders.domain import Change, Order
from order.steps import jobs, service
from order.steps.domain import Answer, Done, Failed, NotYet, Step, StepState, Unknown
from tests.order.factories import kinds_of, placed
from tests.order.steps.making import MoodyKind, a_step, make_due, planned, run, steps_of
from tests.stack.statements import noted_statements


async def test_a_step_that_is_due_is_made_once(db: Database) -> None:
    order, kind = await placed(db), MoodyKind(Done({"figure": 7}))
    await planned(db, order, a_step(order))

    await run(db, {"moody": kind})
    await make_due(db)
    await run(db, {"moody": kind})

    [step] = await steps_of(db, order)
    assert (step.state, step.result, step.attempt) == (StepState.OK, {"figure": 7}, 1)
    assert kind.asked == [step.ext_ref]
    assert (await kinds_of(db, order))[-1] == "moody"


async def test_a_step_is_marked_sent_and_committed_before_it_is_called(db: Database) -> None:
    order = await placed(db)
    await planned(db, order, a_step(order))
    seen: list[StepState] = []

    class Looking(MoodyKind):
        async def call(self, step: Step) -> Answer:
            seen.extend(one.state for one in await steps_of(db, order))
            return await super().call(step)

    await run(db, {"moody": Looking()})

    assert seen == [StepState.SENT]


@pytest.mark.parametrize(
    "silence", [Unknown("silent"), Unavailable("away"), TimeoutError(), ValueError("rubbish")]
)
async def test_an_unknown_outcome_is_asked_again_by_the_same_reference(
    db: Database, silence: Answer | Exception
) -> None:
    order, kind = await placed(db), MoodyKind(silence, silence, Done())
    await planned(db, order, a_step(order))

    states = []
    for _ in range(3):
        await run(db, {"moody": kind})
        states.append((await steps_of(db, order))[0].state)
        await make_due(db)

    assert states == [StepState.UNKNOWN, StepState.UNKNOWN, StepState.OK]
    assert len(kind.asked) == 3
    assert len(set(kind.asked)) == 1
    assert (await kinds_of(db, order)).count("step_unknown") == 1


async def test_an_unknown_outcome_rests_before_it_is_asked_again(db: Database) -> None:
    order, kind = await placed(db), MoodyKind(Unknown("silent"))
    await planned(db, order, a_step(order))

    await run(db, {"moody": kind})
    await run(db, {"moody": kind})

    assert len(kind.asked) == 1


async def test_what_is_unknown_past_its_deadline_waits_for_a_person(db: Database) -> None:
    order, kind = await placed(db), MoodyKind(Unknown("silent"))
    await planned(db, order, a_step(order))
    await make_due(db, is_late=True)

    await run(db, {"moody": kind})
    await make_due(db)
    await run(db, {"moody": kind})

    [step] = await steps_of(db, order)
    assert (step.state, step.last_error) == (StepState.MANUAL, "silent")
    assert len(kind.asked) == 1
    assert "step_manual" in await kinds_of(db, order)


async def test_what_was_not_done_by_its_deadline_fails(db: Database) -> None:
    order, kind = await placed(db), MoodyKind(NotYet("short"), NotYet("short"))
    await planned(db, order, a_step(order))

    await run(db, {"moody": kind})
    assert (await steps_of(db, order))[0].state is StepState.INTENT
    await make_due(db, is_late=True)
    await run(db, {"moody": kind})

    [step] = await steps_of(db, order)
    assert (step.state, step.last_error) == (StepState.FAILED, "short")
    async with db.read() as tx:
        told = (await tx.execute(text("SELECT summary FROM order_timeline ORDER BY id"))).scalars()
        assert list(told)[-2:] == ["NotYet", "Failed"]


async def test_a_worker_that_died_leaves_its_step_to_the_next(db: Database) -> None:
    order, kind = await placed(db), MoodyKind()
    await planned(db, order, a_step(order))
    async with db.transaction() as tx:
        [dead] = await service.take_due(tx, ["moody"], limit=9, lease=timedelta())

    await run(db, {"moody": kind})

    [step] = await steps_of(db, order)
    assert (step.state, step.attempt) == (StepState.OK, 2)
    assert kind.asked == [dead.ext_ref]


async def test_an_answer_that_comes_after_the_lease_is_not_settled_twice(db: Database) -> None:
    order, kind = await placed(db), MoodyKind()
    await planned(db, order, a_step(order))
    async with db.transaction() as tx:
        [slow] = await service.take_due(tx, ["moody"], limit=9, lease=timedelta())
    await run(db, {"moody": kind})
    before = await kinds_of(db, order)

    async with db.transaction() as tx:
        await jobs.settle(tx, {"moody": kind}, [(slow, Failed("late"))])

    assert await kinds_of(db, order) == before
    assert (await steps_of(db, order))[0].state is StepState.OK


async def test_a_step_that_cannot_be_settled_holds_up_no_other(db: Database) -> None:
    good, bad = await placed(db), await placed(db)
    await planned(db, good, a_step(good))
    await planned(db, bad, a_step(bad))

    class Broken(MoodyKind):
        def settle(self, change: Change, step: Step, answer: Answer) -> Change:
            if change.order.id == bad.id:
                raise RuntimeError("a bug")
            return super().settle(change, step, answer)

    await run(db, {"moody": Broken()})

    assert (await steps_of(db, good))[0].state is StepState.OK
    [step] = await steps_of(db, bad)
    assert (step.state, step.last_error) == (StepState.UNKNOWN, "not settled: RuntimeError")


async def test_workers_share_the_steps_and_make_each_once(db: Database) -> None:
    orders = [await placed(db) for _ in range(20)]
    for order in orders:
        await planned(db, order, *[a_step(order, generation=n) for n in range(1, 6)])
    kind = MoodyKind()

    async def work() -> None:
        for _ in range(20):
            if not await run(db, {"moody": kind}):
                return

    await asyncio.gather(*[work() for _ in range(4)])

    assert len(kind.asked) == len(set(kind.asked)) == 100
    states = {step.state for order in orders for step in await steps_of(db, order)}
    assert states == {StepState.OK}


async def test_many_steps_are_one_batch(db: Database) -> None:
    counts = []
    for number in (2, 12):
        orders = [await placed(db) for _ in range(number)]
        for order in orders:
            await planned(db, order, a_step(order))
        with noted_statements() as noted:
            await run(db, {"moody": MoodyKind()})
        counts.append(len(noted))

    assert counts[0] == counts[1]


async def test_a_step_that_undoes_another_marks_it_compensated(db: Database) -> None:
    order = await placed(db)
    first = a_step(order)
    await planned(db, order, first)
    await run(db, {"moody": MoodyKind()})
    await planned(db, order, a_step(order, generation=2, args={"undoes": str(first.ext_ref)}))
    await run(db, {"moody": MoodyKind()})

    states = [step.state for step in await steps_of(db, order)]
    assert states == [StepState.COMPENSATED, StepState.OK]


async def test_a_step_of_a_kind_that_is_not_here_is_left_alone(db: Database) -> None:
    order = await placed(db)
    await planned(db, order, a_step(order, "from_a_later_release"))

    await run(db, {"moody": MoodyKind()})

    assert (await steps_of(db, order))[0].state is StepState.INTENT


class _Wordy(MoodyKind):
    """Notes the transaction in which it has its last word."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions: set[str] = set()

    async def confirm(
        self, tx: Transaction, done: Sequence[tuple[Order, Step]]
    ) -> Mapping[UUID, str]:
        id_ = (await tx.execute(text("SELECT CAST(pg_current_xact_id() AS text)"))).scalar_one()
        self.transactions.add(id_)
        return {}


async def test_kinds_with_a_last_word_never_lock_limits_in_one_transaction(db: Database) -> None:
    kinds = {"one": _Wordy(), "other": _Wordy()}
    for kind in (*kinds, *kinds):
        order = await placed(db)
        await planned(db, order, a_step(order, kind))

    await run(db, kinds)

    [[one], [other]] = [kind.transactions for kind in kinds.values()]
    assert one != other
