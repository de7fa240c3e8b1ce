"""The history check: 20,000 operations by 32 callers at once while everything under them is killed.

What each caller was told and what the books say at the end must fit I1 to I7 of tests/history.
"""

import sys
from pathlib import Path

import pytest

from tests.history.run import Plan, run

SEED = 20_261_127
OPERATIONS = 20_000
# What a run must have seen at least, or it proves nothing.
ACTS = (
    "kill api",
    "kill worker",
    "kill opener",
    "kill postgres",
    "kill a backend",
    "stop postgres at once",
    "freeze api",
    "freeze worker",
    "freeze opener",
)
SEEN_MIN = {
    "info": 100,
    "out_of_stock": 200,
    "ended expired": 50,
    "reservation_expired": 20,
    "reservation_released": 20,
    "reservation_sold": 10,
    "unit_not_sold": 20,
    "not_on_shelf": 20,
    "repeats answered the same": 100,
    "unknown, then told": 20,
    "on several lines": 500,
    "codes opened": 500,
    "quarantine ok": 5,
    "restore ok": 5,
    "import ok": 15,
    "claim ok": 1_000,
}

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]


async def test_twenty_thousand_operations_under_kill_9_break_no_invariant(folder: Path, kafka: str):
    result = await run(folder, kafka, Plan(SEED, OPERATIONS))
    sys.stdout.write(f"{result}\n")
    assert not result.report.violations, result
    assert result.report.undecided == 0, result
    assert result.report.operations >= OPERATIONS
    assert {act for act in ACTS if not result.acts[act]} == set(), result
    rare = {
        what: result.seen[what] for what, least in SEEN_MIN.items() if result.seen[what] < least
    }
    assert rare == {}, result
