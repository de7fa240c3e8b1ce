"""One outside call of an order's life, kept as a row before it is made.

intent -> sent -> ok | failed | unknown -> (asked again) ... | manual; a person ends what stays
unclear. The reference of a step never changes: asked twice, the outside acts once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self, assert_never
from uuid import UUID, uuid5

from kit.errors import NotFound
from kit.ids import new_id

DEADLINE = timedelta(hours=24)
"""How long a step is asked about before a person has to look, unless it says otherwise."""

BACK_ORDER = "back_order"
"""The kind of step that waits for units of a pool: `args` say of which, and how many."""

_PAUSES_SECONDS = (5, 15, 60, 300, 900, 3600)
_NOT_YET_MAX = timedelta(minutes=5)


class StepState(StrEnum):
    INTENT = "intent"  # decided, nothing is under way outside
    SENT = "sent"  # the call may be under way: after a crash it is asked again
    OK = "ok"
    FAILED = "failed"  # definitely not done
    UNKNOWN = "unknown"  # may have been done; asked again by the same reference
    MANUAL = "manual"  # past its deadline: a person decides
    COMPENSATED = "compensated"  # done, and undone again
    SKIPPED = "skipped"  # a person, or a later decision, made it needless


# Which state may follow which. The trigger `saga_step_transition` refuses everything else; a test
# holds the two together.
LEGAL: Mapping[StepState, frozenset[StepState]] = {
    StepState.INTENT: frozenset({StepState.SENT, StepState.MANUAL, StepState.SKIPPED}),
    StepState.SENT: frozenset(
        {
            StepState.INTENT,
            StepState.OK,
            StepState.FAILED,
            StepState.UNKNOWN,
            StepState.MANUAL,
        }
    ),
    StepState.UNKNOWN: frozenset({StepState.SENT, StepState.MANUAL, StepState.SKIPPED}),
    StepState.MANUAL: frozenset({StepState.UNKNOWN, StepState.SKIPPED}),
    StepState.OK: frozenset({StepState.COMPENSATED}),
    StepState.FAILED: frozenset(),
    StepState.COMPENSATED: frozenset(),
    StepState.SKIPPED: frozenset(),
}

OPEN = frozenset({StepState.INTENT, StepState.SENT, StepState.UNKNOWN})
"""States in which a step is still worked on by itself."""
WAITING = OPEN | {StepState.MANUAL}
"""States in which it is not at its end."""


@dataclass(frozen=True, slots=True)
class Step:
    """A call to be made for an order. `args` are the kind's own: ids and figures, no contact."""

    id: UUID
    merchant_id: UUID
    order_id: UUID
    line_id: UUID | None
    kind: str
    ext_ref: UUID
    args: Mapping[str, Any]  # any JSON: every kind has its own
    deadline: timedelta = DEADLINE
    state: StepState = StepState.INTENT
    attempt: int = 0
    version: int = 0
    result: Mapping[str, Any] = field(default_factory=dict)  # any JSON, as above
    last_error: str = ""
    next_at: datetime | None = None
    deadline_at: datetime | None = None
    created_at: datetime | None = None

    @property
    def undoes(self) -> str:
        """The reference of the step whose effect this one takes back; empty for none."""
        return str(self.args.get("undoes", ""))


def plan(
    merchant_id: UUID,
    order_id: UUID,
    kind: str,
    *,
    line_id: UUID | None = None,
    generation: int = 1,
    args: Mapping[str, Any] | None = None,
    deadline: timedelta = DEADLINE,
) -> Step:
    """A step to be made. The same order, line, kind and generation is the same step for ever: a
    new attempt at something that definitely failed takes the next generation.
    """
    ref = uuid5(order_id, f"{line_id or '-'}:{kind}:{generation}")
    return Step(new_id(), merchant_id, order_id, line_id, kind, ref, args or {}, deadline)


@dataclass(frozen=True, slots=True)
class Done:
    """It happened. `result` is kept on the step: ids and figures only."""

    result: Mapping[str, Any] = field(default_factory=dict)  # any JSON: every kind has its own


@dataclass(frozen=True, slots=True)
class Failed:
    """It definitely did not happen, and asking again would not change that."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """It definitely did not happen, but may later: tried again until the deadline, then failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have happened: asked again by the same reference, at the deadline for a person."""

    reason: str


Answer = Done | Failed | NotYet | Unknown


@dataclass(frozen=True, slots=True)
class Answered:
    """A step as its answer leaves it, and the answer that counts."""

    step: Step
    answer: Answer

    def refused(self, why: str) -> Self:
        """Done outside, and not to count all the same."""
        result = {**self.step.result, "refused": why}
        return replace(self, step=replace(self.step, result=result), answer=Done(result))


def judge(step: Step, answer: Answer, *, is_late: bool) -> Answered:
    """Past the deadline, what was not done has failed, and what is unknown waits for a person."""
    if is_late and isinstance(answer, NotYet):
        answer = Failed(answer.reason)
    match answer:
        case Done(result):
            step = replace(step, state=StepState.OK, result=result, last_error="")
        case Failed(reason):
            step = replace(step, state=StepState.FAILED, last_error=reason)
        case NotYet(reason):
            step = replace(step, state=StepState.INTENT, last_error=reason)
        case Unknown(reason):
            state = StepState.MANUAL if is_late else StepState.UNKNOWN
            step = replace(step, state=state, last_error=reason)
        case _:
            assert_never(answer)
    return Answered(step, answer)


def pause_after(attempt: int) -> timedelta:
    """How long a step rests after its n-th attempt without an end: 5 s, growing to an hour."""
    place = min(max(attempt, 1), len(_PAUSES_SECONDS)) - 1
    return timedelta(seconds=_PAUSES_SECONDS[place])


def pause_of(answered: Answered) -> timedelta:
    """What may happen any moment (stock comes) is looked at every five minutes at least."""
    pause = pause_after(answered.step.attempt)
    return min(pause, _NOT_YET_MAX) if isinstance(answered.answer, NotYet) else pause


class StepNotFound(NotFound):
    """There is no such step, or it is not yours."""

    code = "step_not_found"
