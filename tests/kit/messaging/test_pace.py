"""Loops rest under load only."""

import time

from kit.messaging.pace import Pace


def test_a_loop_with_little_to_do_goes_on_at_once():
    assert Pace(busy_per_second=100, rest_seconds=0.03).rest_after(10) == 0


def test_a_busy_loop_rests():
    assert Pace(busy_per_second=100, rest_seconds=0.03).rest_after(1_000) == 0.03


def test_a_busy_loop_whose_round_was_full_goes_on_at_once():
    pace = Pace(busy_per_second=100, rest_seconds=0.03)

    assert pace.rest_after(1_000, was_full=True) == 0
    assert pace.rest_after(1) == 0.03


def test_a_loop_that_was_busy_long_ago_does_not_rest(monkeypatch):
    pace = Pace(busy_per_second=100, rest_seconds=0.03)
    pace.rest_after(1_000)
    later = time.monotonic() + 10
    monkeypatch.setattr("kit.messaging.pace.time.monotonic", lambda: later)

    assert pace.rest_after(1) == 0
