import pytest

from kit.ids import new_id
from risk.rules.domain import Action, Mode, Outcome, decide

A, C, H, D = Action.ALLOW, Action.CHALLENGE, Action.HOLD, Action.DECLINE


def an_outcome(priority: int, action: Action, mode: Mode = Mode.ENFORCE) -> Outcome:
    return Outcome(new_id(), 1, "A rule", mode, priority, action, "true", {})


@pytest.mark.parametrize(
    ("fired", "decision"),
    [
        ([], A),
        ([(50, H)], H),
        ([(50, H), (50, D)], D),
        ([(50, A), (50, C)], C),
        ([(10, A), (50, D)], A),
        ([(10, H), (50, D), (50, A)], H),
    ],
)
def test_the_smallest_priority_decides_and_among_equals_the_strictest(
    fired: list[tuple[int, Action]], decision: Action
) -> None:
    assert decide([an_outcome(priority, action) for priority, action in fired]) is decision


def test_shadow_rules_do_not_decide() -> None:
    assert decide([an_outcome(1, D, Mode.SHADOW), an_outcome(50, H)]) is H
