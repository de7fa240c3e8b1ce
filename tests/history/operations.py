"""A history: what callers asked, when, and what they were told. One JSON line per word."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

FOREVER = 2**63 - 1
"""The end of what may still take effect."""


class Outcome(StrEnum):
    OK = "ok"
    FAIL = "fail"
    # No answer, or one that leaves open what happened: may have taken effect, may still do, or not.
    INFO = "info"


@dataclass(slots=True)
class Operation:
    """One call. `args` and `result` as the README lists them; a code only ever as its hash."""

    call: int
    process: int
    op: str
    args: dict[str, Any]
    invoked_at: int
    outcome: Outcome = Outcome.INFO
    returned_at: int = FOREVER
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def failed(self) -> bool:
        return self.outcome is Outcome.FAIL

    @property
    def may_have_worked(self) -> bool:
        return self.outcome is not Outcome.FAIL

    @property
    def settled_at(self) -> int:
        """When its effect was there for certain: never, for an unknown outcome."""
        return FOREVER if self.outcome is Outcome.INFO else self.returned_at

    @property
    def error(self) -> str:
        return str(self.result.get("error", ""))

    def words(self) -> Iterator[dict[str, Any]]:
        """Its lines of the file."""
        who = {"call": self.call, "process": self.process, "op": self.op}
        yield {"type": "invoke", "at": self.invoked_at, **who, "args": self.args}
        if self.returned_at != FOREVER:
            yield {
                "type": self.outcome.value,
                "at": self.returned_at,
                **who,
                "result": self.result,
            }


class History:
    """Operations in the order of their invocations."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations: Sequence[Operation] = sorted(
            operations, key=lambda operation: (operation.invoked_at, operation.call)
        )
        self._by_op: defaultdict[str, list[Operation]] = defaultdict(list)
        for operation in self.operations:
            self._by_op[operation.op].append(operation)

    def of(self, *ops: str) -> list[Operation]:
        """The operations with one of these names."""
        return [operation for op in ops for operation in self._by_op.get(op, ())]

    def write(self, path: Path) -> None:
        words = sorted(
            (word for operation in self.operations for word in operation.words()),
            key=lambda word: (word["at"], word["call"], word["type"] != "invoke"),
        )
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(word, separators=(",", ":")) + "\n" for word in words)


def read_history(path: Path) -> History:
    """Raises ValueError for a line that fits to nothing before it."""
    operations: dict[int, Operation] = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            word = json.loads(line)
            if word["type"] == "invoke":
                if word["call"] in operations:
                    raise ValueError(f"call {word['call']} is invoked twice")
                operations[word["call"]] = Operation(
                    word["call"], word["process"], word["op"], word["args"], word["at"]
                )
                continue
            operation = operations.get(word["call"])
            if operation is None or operation.returned_at != FOREVER:
                raise ValueError(f"call {word['call']} answers without being asked")
            operation.outcome = Outcome(word["type"])
            operation.returned_at = word["at"]
            operation.result = word["result"]
    return History(operations.values())
