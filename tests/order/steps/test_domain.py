"""References, pauses and what an answer makes of a step. No database needed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from order.orders.domain import Order
from order.steps.domain import (
    Answer,
    Done,
    Failed,
    NotYet,
    StepState,
    Unknown,
    judge,
    pause_after,
    pause_of,
)
from tests.order.factories import an_order
from tests.order.steps.making import a_step


@pytest.fixture
def order() -> Order:
    return an_order()


def test_the_same_step_has_the_same_reference_and_the_next_generation_another(
    order: Order,
) -> None:
    line = order.lines[0].id
    refs = [
        a_step(order, line_id=line).ext_ref,
        a_step(order, line_id=line, generation=2).ext_ref,
        a_step(order).ext_ref,
        a_step(order, "other", line_id=line).ext_ref,
        a_step(an_order(), line_id=line).ext_ref,
    ]

    assert a_step(order, line_id=line).ext_ref == refs[0]
    assert len(set(refs)) == len(refs)


@pytest.mark.parametrize(
    ("answer", "in_time", "late"),
    [
        (Done({"a": 1}), StepState.OK, StepState.OK),
        (Failed("no"), StepState.FAILED, StepState.FAILED),
        (NotYet("short"), StepState.INTENT, StepState.FAILED),
        (Unknown("silent"), StepState.UNKNOWN, StepState.MANUAL),
    ],
)
def test_what_an_answer_makes_of_a_step(
    order: Order, answer: Answer, in_time: StepState, late: StepState
) -> None:
    step = a_step(order)

    assert judge(step, answer, is_late=False).step.state is in_time
    assert judge(step, answer, is_late=True).step.state is late


def test_what_was_not_done_by_its_deadline_has_failed(order: Order) -> None:
    assert judge(a_step(order), NotYet("short"), is_late=True).answer == Failed("short")


def test_pauses_grow_from_seconds_to_an_hour() -> None:
    assert [pause_after(n).total_seconds() for n in (0, 1, 2, 3, 4, 5, 6, 99)] == [
        5,
        5,
        15,
        60,
        300,
        900,
        3600,
        3600,
    ]
    assert pause_after(10**9) == timedelta(hours=1)


def test_what_may_happen_any_moment_is_looked_at_every_five_minutes(order: Order) -> None:
    step = replace(a_step(order), attempt=99)

    assert pause_of(judge(step, NotYet("short"), is_late=False)) == timedelta(minutes=5)
    assert pause_of(judge(step, Unknown("silent"), is_late=False)) == timedelta(hours=1)
