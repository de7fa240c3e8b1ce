"""Writes a history down while it happens, so that it outlives the run that makes it."""

import itertools
import json
import time
from pathlib import Path
from typing import Any

from tests.history.operations import History, Operation, Outcome


class Recorder:
    """`invoke` before a call is sent, one of `ok`, `fail`, `info` after it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1 << 16)
        self._numbers = itertools.count(1)
        self._operations: list[Operation] = []
        self._definite = 0

    def invoke(self, process: int, op: str, **args: Any) -> Operation:
        call = Operation(next(self._numbers), process, op, args, time.monotonic_ns())
        self._operations.append(call)
        self._write("invoke", call, call.invoked_at, "args", args)
        return call

    def ok(self, call: Operation, **result: Any) -> None:
        self._end(call, Outcome.OK, result)

    def fail(self, call: Operation, error: str, **result: Any) -> None:
        self._end(call, Outcome.FAIL, {"error": error, **result})

    def info(self, call: Operation, error: str) -> None:
        self._end(call, Outcome.INFO, {"error": error})

    @property
    def definite(self) -> int:
        """Operations that ended, and how is known."""
        return self._definite

    @property
    def history(self) -> History:
        return History(self._operations)

    def close(self) -> None:
        self._file.close()

    def _end(self, call: Operation, outcome: Outcome, result: dict[str, Any]) -> None:
        call.outcome, call.result, call.returned_at = outcome, result, time.monotonic_ns()
        self._definite += outcome is not Outcome.INFO
        self._write(outcome.value, call, call.returned_at, "result", result)

    def _write(self, kind: str, call: Operation, at: int, name: str, words: Any) -> None:
        line = {"type": kind, "at": at, "call": call.call, "process": call.process, "op": call.op}
        self._file.write(json.dumps({**line, name: words}, separators=(",", ":")) + "\n")
