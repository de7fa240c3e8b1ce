"""Loops rest under load only."""

import time

from kit.messaging.pace import Pace


def test_a_loop_with_little_to_do_goes_on_at_once():
    pace = Pace(busy_per_second=100, rest_seconds_max=0.03)

    assert pace.rest_after(10, time.monotonic() - 1) == 0


def test_a_busy_loop_rests_as_long_as_its_work_took_but_not_longer_than_the_limit():
    pace = Pace(busy_per_second=100, rest_seconds_max=30)
    pace.rest_after(1_000, time.monotonic())
    limited = Pace(busy_per_second=100, rest_seconds_max=0.03)

    assert 7 <= pace.rest_after(1_000, time.monotonic() - 7) <= 30
    assert limited.rest_after(1_000, time.monotonic() - 7) == 0.03


def test_a_loop_that_was_busy_long_ago_does_not_rest(monkeypatch):
    pace = Pace(busy_per_second=100, rest_seconds_max=0.03)
    pace.rest_after(1_000, time.monotonic())
    later = time.monotonic() + 10
    monkeypatch.setattr("kit.messaging.pace.time.monotonic", lambda: later)

    assert pace.rest_after(1, later - 1) == 0
