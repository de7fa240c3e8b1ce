"""The state machine in the database is the one of the domain: every pair of states is tried."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Database
from order.steps.domain import LEGAL, StepState
from tests.order.factories import placed
from tests.order.steps.making import a_step, planned, steps_of

_FORCE = text("UPDATE saga_step SET state = :state")


async def test_the_database_allows_exactly_the_transitions_of_the_domain(db: Database) -> None:
    order = await placed(db)
    await planned(db, order, a_step(order))
    allowed: set[tuple[StepState, StepState]] = set()

    async with db.transaction() as tx:
        for before in StepState:
            for after in set(StepState) - {before}:
                await tx.execute(text("ALTER TABLE saga_step DISABLE TRIGGER USER"))
                await tx.execute(_FORCE, {"state": before})
                await tx.execute(text("ALTER TABLE saga_step ENABLE TRIGGER USER"))
                try:
                    async with tx.savepoint():
                        await tx.execute(_FORCE, {"state": after})
                    allowed.add((before, after))
                except IntegrityError:
                    continue

    assert allowed == {(before, after) for before, afters in LEGAL.items() for after in afters}


async def test_what_a_step_asks_for_does_not_change(db: Database) -> None:
    order = await placed(db)
    await planned(db, order, a_step(order, args={"a": 1}))

    for change in ("ext_ref = gen_random_uuid()", "kind = 'other'", "args = '{}'::jsonb"):
        with pytest.raises(IntegrityError, match="does not change"):
            async with db.transaction() as tx:
                await tx.execute(text(f"UPDATE saga_step SET {change}"))  # noqa: S608 - our own text


async def test_a_step_begins_as_an_intent_only(db: Database) -> None:
    order = await placed(db)
    await planned(db, order, a_step(order))

    for state in set(StepState) - {StepState.INTENT}:
        with pytest.raises(IntegrityError, match="cannot begin"):
            async with db.transaction() as tx:
                await tx.execute(
                    text(
                        "INSERT INTO saga_step (id, merchant_id, order_id, kind, ext_ref, state, "
                        "deadline_at) SELECT gen_random_uuid(), merchant_id, order_id, kind, "
                        "gen_random_uuid(), :state, deadline_at FROM saga_step"
                    ),
                    {"state": state},
                )


async def test_a_step_planned_twice_is_one_step(db: Database) -> None:
    order = await placed(db)
    await planned(db, order, a_step(order))
    await planned(db, order, a_step(order), a_step(order, generation=2))

    assert len(await steps_of(db, order)) == 2
