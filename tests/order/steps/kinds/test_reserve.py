"""A new hold under the step's own reference, and giving one back."""

from typing import Any

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from order.orders.domain import Order
from order.step_kinds import StepKind, load_kinds
from order.steps.domain import Step, StepState
from tests.order.conftest import outside_of
from tests.order.factories import POOL, SHOP, fulfilling, kinds_of, placed
from tests.order.steps.making import a_step, make_due, planned, run, steps_of
from tests.order.vaults import ScriptedVault


@pytest.fixture
def kinds(service: Service, vault: ScriptedVault) -> dict[str, StepKind]:
    return dict(load_kinds(outside_of(service.db, vault)))


def a_hold(order: Order, **given: Any) -> Step:
    line = order.lines[0]
    lines = [{"line_no": 1, "sku": line.sku, "pool_id": str(POOL), "quantity": 2}]
    args = {"lines": lines, "sku": line.sku, "round": 1}
    return a_step(order, "reserve", line_id=line.id, args=args, **given)


async def test_units_are_held_under_the_reference_of_the_step(
    db: Database, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    order = await fulfilling(db)
    await planned(db, order, a_hold(order))

    await run(db, kinds)

    [step] = await steps_of(db, order)
    assert vault.holds == {f"step:{step.ext_ref}": step.result["reservation_id"]}
    assert step.state is StepState.OK
    assert (await kinds_of(db, order))[-2:] == ["decided", "fulfillment_requested"]


async def test_the_channels_rules_hold_for_it_as_they_did_when_the_order_was_placed(
    db: Database, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE channel SET min_valid_seconds = 86400 WHERE id = :id"), {"id": SHOP}
        )
    order = await fulfilling(db)
    await planned(db, order, a_hold(order))

    await run(db, kinds)

    [(_, body)] = vault.calls
    [item] = body["items"]
    assert item["channel_id"] == str(SHOP)
    assert [line["min_valid_seconds"] for line in item["lines"]] == [86_400]


async def test_a_silent_vault_is_asked_again_for_the_same_hold(
    db: Database, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    order = await fulfilling(db)
    await planned(db, order, a_hold(order))
    vault.silences = 2

    await run(db, kinds)
    assert (await steps_of(db, order))[0].state is StepState.UNKNOWN
    await make_due(db)
    await run(db, kinds)

    assert (await steps_of(db, order))[0].state is StepState.OK
    references = {item["reference"] for _, body in vault.calls for item in body["items"]}
    assert len(references) == 1


async def test_a_hold_that_ended_before_its_answer_was_heard_is_asked_for_anew(
    db: Database, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    """The answer was lost, and the next attempt came when the hold had run out."""
    order = await fulfilling(db)
    await planned(db, order, a_hold(order))
    over = {"id": str(new_id()), "status": "expired"}
    vault.results = [{"result": "expired", "reservation": over, "problem": None}]

    await run(db, kinds)

    [step] = await steps_of(db, order)
    assert step.state is StepState.OK
    assert vault.holds == {f"step:{step.ext_ref}:2": step.result["reservation_id"]}
    assert "fulfillment_requested" in await kinds_of(db, order)


async def test_a_hold_that_always_ends_is_a_definite_no(
    db: Database, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    order = await fulfilling(db)
    await planned(db, order, a_hold(order))
    over = {"id": str(new_id()), "status": "released"}
    vault.results = [{"result": "released", "reservation": over, "problem": None}] * 99

    await run(db, kinds)

    [step] = await steps_of(db, order)
    assert (step.state, step.last_error) == (StepState.FAILED, "released")


async def test_an_empty_pool_is_a_definite_no(
    db: Database, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    order = await fulfilling(db)
    await planned(db, order, a_hold(order))
    vault.results = [{"result": "out_of_stock", "reservation": None, "problem": {"status": 409}}]

    await run(db, kinds)

    [step] = await steps_of(db, order)
    assert (step.state, step.last_error) == (StepState.FAILED, "out_of_stock")
    assert "shortage_goes_on" in await kinds_of(db, order)


async def test_a_hold_is_given_back_and_the_step_that_made_it_is_compensated(
    db: Database, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    order = await fulfilling(db)
    await planned(db, order, a_hold(order))
    await run(db, kinds)
    [held] = await steps_of(db, order)
    args = {**held.result, "reason": "not needed", "undoes": str(held.ext_ref)}
    await planned(db, order, a_step(order, "release", args=args))

    await run(db, kinds)

    assert vault.holds == {}
    states = [step.state for step in await steps_of(db, order)]
    assert states == [StepState.COMPENSATED, StepState.OK]


async def test_a_hold_that_has_ended_is_told(
    db: Database, vault: ScriptedVault, kinds: dict[str, StepKind]
) -> None:
    order = await placed(db)
    args = {"reservation_id": str(new_id()), "reason": "not needed"}
    await planned(db, order, a_step(order, "release", args=args))
    vault.problems = [(409, "reservation_sold")]

    await run(db, kinds)

    [step] = await steps_of(db, order)
    assert (step.state, step.last_error) == (StepState.FAILED, "reservation_sold")


def test_every_kind_is_found_by_its_folder(kinds: dict[str, StepKind]) -> None:
    assert {"reserve", "release"} <= set(kinds)
    assert all(kind.name == name for name, kind in kinds.items())
