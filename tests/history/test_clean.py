"""The checker raises no false alarm: 200 histories of a vault that is right, however they went."""

from collections import Counter
from pathlib import Path

import pytest

from tests.history.books import read_books
from tests.history.checker import check
from tests.history.operations import read_history
from tests.history.simulated_run import SimulatedRun

RUNS = 200
RUNS_EACH = 20
RARE = (
    "lost",
    "out_of_stock",
    "reservation_expired",
    "reservation_released",
    "reservation_sold",
    "reference_reused",
    "unit_not_sold",
    "not_on_shelf",
    "restore",
    "void",
)


@pytest.mark.parametrize("first", range(0, RUNS, RUNS_EACH))
def test_a_sound_history_is_not_flagged(first: int):
    for seed in range(first, first + RUNS_EACH):
        report = check(*SimulatedRun(seed).run())
        assert not report.violations, f"seed {seed}: {report}"
        assert not report.undecided, f"seed {seed}: {report}"


def test_the_sound_histories_are_not_idle():
    seen: Counter[str] = Counter()
    for seed in range(RUNS_EACH):
        history, _ = SimulatedRun(seed).run()
        for call in history.operations:
            seen[call.op] += call.ok
            seen[call.error] += call.failed
            seen["lost"] += not (call.ok or call.failed)
    assert {name for name in RARE if seen[name] < RUNS_EACH} == set()


def test_a_history_on_disk_is_the_same_history(tmp_path: Path):
    history, books = SimulatedRun(7).run()
    history.write(tmp_path / "history.jsonl")
    books.write(tmp_path / "books.json")
    again, books_again = (
        read_history(tmp_path / "history.jsonl"),
        read_books(tmp_path / "books.json"),
    )
    assert list(again.operations) == list(history.operations)
    assert books_again == books
    assert check(again, books_again) == check(history, books)


def test_a_history_that_answers_what_nobody_asked_is_refused(tmp_path: Path):
    path = tmp_path / "history.jsonl"
    path.write_text('{"type":"ok","at":1,"call":1,"process":0,"op":"read","result":{}}\n')
    with pytest.raises(ValueError, match="without being asked"):
        read_history(path)
