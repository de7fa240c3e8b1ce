"""Processes to be killed, forked from one that has imported what they need.

Starting Python with a service in it takes two seconds of CPU, a fork takes milliseconds. What comes
of it is a process like any other: with its own id, session, environment and log, and a kill -9 ends
it as any other.

`python -m tests.stack.nursery MODULE...` imports the modules and then does what its input asks: one
JSON line each, one answer each. At the end of its input it kills what it has forked.
"""

import asyncio
import atexit
import json
import os
import random
import runpy
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]


class Forked:
    """A process of a nursery."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._code: int | None = None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative = ended by that signal."""
        if self._code is None:
            self._code = self._nursery.ask(code_of=self.pid)
        return self._code

    def send(self, signum: signal.Signals) -> None:
        """A signal to the process; nothing when it has ended."""
        if self.exit_code is None:
            os.kill(self.pid, signum)

    async def ended(self) -> int:
        """The exit code, once it has one. Who waits keeps the nursery free for others."""
        while (code := self.exit_code) is None:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
        return code

    async def kill(self) -> None:
        """kill -9, and it is gone; nothing when it has ended."""
        self.send(signal.SIGKILL)
        await self.ended()


class Nursery:
    """Lives until this process ends, and so does what it forked."""

    def __init__(self, *modules: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stack.nursery", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self._lock = threading.Lock()
        atexit.register(self._close)

    def fork(
        self, module: str, *arguments: str, env: Mapping[str, str], log: Path | None = None
    ) -> Forked:
        """Runs `python -m module arguments...`; returns at once. Without a log it writes where this
        process writes its errors.
        """
        wanted = {"argv": [module, *arguments], "env": dict(env), "log": log and str(log)}
        return Forked(self, self.ask(fork=wanted))

    def ask(self, **wish: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(wish).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        assert answer, "the nursery has ended"
        return json.loads(answer)

    def _close(self) -> None:
        self._process.communicate()


@cache
def nursery_of(*modules: str) -> Nursery:
    """One for all tests of a run that need the same."""
    return Nursery(*modules)


@asynccontextmanager
async def forked(
    module: str, *arguments: str, imports: Sequence[str], env: Mapping[str, str]
) -> AsyncIterator[Forked]:
    """`python -m module arguments...`, killed at the end if it lives; `imports` are what it needs
    that takes long to import.
    """
    process = nursery_of(*imports).fork(module, *arguments, env=env)
    try:
        yield process
    finally:
        await process.kill()


def _serve(modules: Sequence[str]) -> None:
    for module in modules:
        import_module(module)
    living: set[int] = set()
    for line in sys.stdin.buffer:
        wish = json.loads(line)
        if "fork" in wish:
            answer: int | None = _fork(**wish["fork"])
            living.add(int(answer or 0))
        else:
            ended, status = os.waitpid(wish["code_of"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
            living -= {ended}
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    for pid in living:
        os.kill(pid, signal.SIGKILL)


def _fork(argv: Sequence[str], env: Mapping[str, str], log: str | None) -> int:
    pid = os.fork()
    if pid == 0:
        _become(argv, env, log)
    return pid


def _become(argv: Sequence[str], env: Mapping[str, str], log: str | None) -> NoReturn:
    """Never returns into the nursery, whatever happens."""
    code = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if log else 2
        for place, file in enumerate((nothing, output, output)):
            os.dup2(file, place)
        os.environ.clear()
        os.environ.update(env)
        random.seed()
        sys.argv = list(argv)
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # told in its log, as the interpreter would
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1:])
