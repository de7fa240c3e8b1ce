"""I6 for a reservation: its calls fit none -> held -> secured -> sold | released | expired."""

from collections.abc import Callable, Iterator

from tests.history.operations import FOREVER, Operation
from tests.history.search import Step, has_order
from tests.history.tales import GONE, HOLDING, ReservationTale, Tales, observed
from tests.history.violations import Invariant, Violation, calls_of

Move = Callable[[str], str | None]


def check_reservations(tales: Tales) -> Iterator[Violation | None]:
    """None stands for a reservation whose search gave up."""
    for tale in tales.reservations.values():
        found = has_order(list(_steps(tales, tale)), "none")
        if found is None:
            yield None
        elif not found:
            what = f"no order of its calls explains the answers and the end ({tale.status})"
            calls = calls_of(tale.operations)
            yield Violation(Invariant.LINEARIZABLE, tale.reference, what, calls)


def _steps(tales: Tales, tale: ReservationTale) -> Iterator[Step[str]]:
    for call in tale.operations:
        yield _step(call)
    if tale.may_expire != FOREVER:
        # The sweeper's own act, some time after the hold's end; nobody is told at once.
        yield Step(tale.may_expire, FOREVER, _from(HOLDING, "expired"), is_certain=False)
    at = tales.books.at
    yield Step(at, at, _stays(tale.status))


def _step(call: Operation) -> Step[str]:
    unknown = not call.ok and not call.failed
    move = _effect(call) if call.ok or unknown else _refusal(call)
    return Step(call.invoked_at, call.settled_at, move, is_certain=not unknown, call=call.call)


def _effect(call: Operation) -> Move:
    """What the call does when it works; with an answer only as that says."""
    told = observed(call)
    match call.op:
        case "reserve":
            return _held_or(told)
        case "claim":
            return _from(HOLDING | {"sold"}, "sold")
        case "release" if told:
            return _ended_as(told)
        case "release":
            return _from(HOLDING, "released")
        case _:
            return _stays(told) if told else lambda state: state


def _refusal(call: Operation) -> Move:
    if call.op != "reserve":
        told = observed(call)
        return _stays(told) if told else lambda state: state
    if call.error == "reference_reused":
        return lambda state: None if state == "none" else state
    return _stays("none")


def _held_or(told: str) -> Move:
    """A first call makes the hold; a repeat tells the status of the moment."""

    def move(state: str) -> str | None:
        after = "held" if state == "none" else state
        return after if told in ("", after) else None

    return move


def _ended_as(told: str) -> Move:
    def move(state: str) -> str | None:
        after = "released" if state in HOLDING else state
        return after if after == told and after in GONE else None

    return move


def _from(states: frozenset[str], after: str) -> Move:
    return lambda state: after if state in states else None


def _stays(status: str) -> Move:
    return lambda state: state if state == status else None
