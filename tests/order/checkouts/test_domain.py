"""When a payment that was begun is asked for."""

from datetime import UTC, datetime, timedelta

import pytest

from order.checkouts.domain import next_ask

NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "left", "pause"),
    [
        (0, 900, 30),
        (1, 900, 60),
        (5, 9_000, 1_800),
        (99, 9_000, 1_800),
        (3, 100, 70),  # once more, 30 s before the end
        (0, 60, 30),
        (0, 59, 29),
        (2, 30, 31),  # and again just after it
        (2, 10, 11),
        (2, -1, 120),
    ],
)
def test_ever_more_rarely_yet_before_the_end_and_just_after_it(asked: int, left: int, pause: int):
    ends = NOW + timedelta(seconds=left)

    assert next_ask(asked, NOW, ends, 30) == pause
