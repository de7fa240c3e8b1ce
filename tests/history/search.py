"""The search for an order: can these steps have happened one after the other, each in its time?

Wing and Gong's algorithm with Lowe's memory of visited configurations, for one small object at a
time (a unit, a reservation), where it is exhaustive and quick.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tests.history.operations import FOREVER

CONFIGURATIONS_MAX = 100_000
"""Beyond this the search gives up and says so; a run with such objects counts them."""

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Step(Generic[State]):
    """Takes effect once between `begins` and `ends`; unless `is_certain`, perhaps never.

    `move` answers the state after it, or None when the step is impossible in that state.
    """

    begins: int
    ends: int
    move: Callable[[State], State | None]
    is_certain: bool = True
    call: int | None = None


def has_order(steps: Sequence[Step[State]], initial: State) -> bool | None:
    """Whether some order exists in which every certain step is possible; None: gave up."""
    certain = sum(1 << place for place, step in enumerate(steps) if step.is_certain)
    start = (0, initial)
    seen = {start}
    stack = [start]
    while stack:
        done, state = stack.pop()
        if done & certain == certain:
            return True
        if len(seen) > CONFIGURATIONS_MAX:
            return None
        # Nothing may come after the end of a step that is still to come.
        latest = min(
            (s.ends for p, s in enumerate(steps) if s.is_certain and not done >> p & 1),
            default=FOREVER,
        )
        for place, step in enumerate(steps):
            if done >> place & 1 or step.begins > latest:
                continue
            after = step.move(state)
            if after is None:
                continue
            configuration = (done | 1 << place, after)
            if configuration not in seen:
                seen.add(configuration)
                stack.append(configuration)
    return False
