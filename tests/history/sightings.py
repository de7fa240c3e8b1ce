"""What a run has seen: a quiet run proves nothing, so the rare things are counted."""

from collections import Counter, defaultdict

from tests.history.books import Books
from tests.history.operations import History, Operation


def sightings(history: History, books: Books) -> Counter[str]:
    seen: Counter[str] = Counter()
    by_reference: defaultdict[str, list[Operation]] = defaultdict(list)
    for call in history.operations:
        seen[call.outcome.value] += 1
        seen[f"{call.op} {call.outcome.value}"] += 1
        if call.failed:
            seen[call.error] += 1
        if call.op == "reserve":
            by_reference[call.args["reference"]].append(call)
        seen["codes opened"] += _codes_in(call)
    for calls in by_reference.values():
        _see_repeats(seen, calls)
    for row in books.reservations:
        seen[f"ended {row.status}"] += 1
    seen["lots"] = len(books.lots)
    seen["units"] = len(books.units)
    return seen


def _codes_in(call: Operation) -> int:
    return len(call.result.get("codes", ())) + ("code" in call.result)


def _see_repeats(seen: Counter[str], calls: list[Operation]) -> None:
    told = [call for call in calls if call.ok]
    seen["repeats answered the same"] += max(0, len(told) - 1)
    unknown = [call for call in calls if not (call.ok or call.failed)]
    seen["unknown, then told"] += bool(unknown and told)
    seen["on several lines"] += any(len(call.args["lines"]) > 1 for call in told)
