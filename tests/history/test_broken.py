"""The checker finds every broken history, names the calls, and finds nothing in the sound one."""

import pytest

from tests.history.broken import CASES, Broken
from tests.history.checker import check
from tests.history.violations import Invariant
from tests.history.world import World

CASES_MIN = 30


def test_the_world_is_sound_before_it_is_spoiled():
    world = World()
    assert str(check(world.history, world.books)).startswith("14 operations, 0 violations")


def test_there_are_broken_histories_for_every_invariant():
    assert len(CASES) >= CASES_MIN
    assert {case.invariant for case in CASES} == set(Invariant)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_broken_history_is_flagged(case: Broken):
    world = World()
    case.spoil(world)
    report = check(world.history, world.books)
    assert case.invariant in report.flags, report


def test_a_violation_names_the_calls_involved():
    world = World()
    call = world.reserve("G", 700, 2, error="out_of_stock", short=[[1, "p", 2, 1]])
    report = check(world.history, world.books)
    assert {violation.calls for violation in report.violations} == {(call.call,)}
