"""What answers mean, and when a webhook is tried again."""

from datetime import timedelta
from typing import Any

import pytest

from fulfillment.webhook_deliveries.domain import (
    SCHEDULE,
    Answered,
    Due,
    Result,
    WebhookState,
    health_of,
    judge,
    next_step,
)
from kit.ids import new_id

NONE = timedelta(0)
BAD = Answered(500, "http_500")
GOOD = Answered(204, "")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_a_success(status: int):
    assert judge(status, {}).is_delivered


@pytest.mark.parametrize("status", [100, 301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503])
def test_anything_else_is_a_failure(status: int):
    answered = judge(status, {})

    assert not answered.is_delivered
    assert answered.reason == f"http_{status}"
    assert answered.is_gone == (status == 410)


@pytest.mark.parametrize(
    ("status", "header", "pause"),
    [
        (429, "7", timedelta(seconds=7)),
        (503, "120", timedelta(seconds=120)),
        (503, "999999999999", timedelta(hours=1)),
        (503, "Fri, 27 Nov 2026 10:00:00 GMT", None),
        (503, "-1", None),
        (503, "٣", None),
        (503, "", None),
        (500, "7", None),
        (200, "7", None),
    ],
)
def test_a_pause_that_is_asked_for_is_kept_within_bounds(status: int, header: str, pause: Any):
    assert judge(status, {"retry-after": header}).pause == pause


def test_ten_tries_over_about_three_days_and_then_it_has_failed():
    pauses = []
    for tries in range(9):
        state, pause = next_step(tries, BAD, 0.5)
        assert state is WebhookState.PENDING
        pauses.append(pause)

    assert pauses == list(SCHEDULE[1:])
    assert timedelta(days=3) < sum(pauses, NONE) < timedelta(days=3.5)
    assert next_step(9, BAD, 0.5) == (WebhookState.FAILED, NONE)
    assert next_step(9, GOOD, 0.5) == (WebhookState.DELIVERED, NONE)


@pytest.mark.parametrize("tries", range(9))
def test_the_pause_varies_by_a_fifth_and_no_more(tries: int):
    shortest, longest = next_step(tries, BAD, 0.0)[1], next_step(tries, BAD, 1.0)[1]

    whole = SCHEDULE[tries + 1].total_seconds()
    assert shortest.total_seconds() == pytest.approx(whole * 0.8)
    assert longest.total_seconds() == pytest.approx(whole * 1.2)


def test_one_that_is_gone_is_not_tried_again():
    assert next_step(0, judge(410, {}), 0.5) == (WebhookState.FAILED, NONE)


def test_health_counts_the_failures_since_the_last_success():
    def results(*answers: Answered) -> list[Result]:
        due = Due(new_id(), new_id(), "{}", 0)
        return [Result(due, it, WebhookState.PENDING, NONE, NONE, NONE) for it in answers]

    assert (health_of(results(BAD, GOOD, BAD, BAD)).failures) == 2
    assert health_of(results(BAD, GOOD, BAD, BAD)).has_success
    assert (health_of(results(GOOD)).failures) == 0
    assert not health_of(results(BAD, BAD)).has_success
    slow = judge(429, {"retry-after": "9"})
    assert health_of(results(BAD, slow, judge(410, {}))).pause == timedelta(seconds=9)
    assert health_of(results(judge(410, {}))).is_gone
