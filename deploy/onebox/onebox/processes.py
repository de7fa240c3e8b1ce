"""Child processes that cannot outlive us, and the remains of runs that were killed.

A child is its own session (a Ctrl-C on the terminal reaches only the supervisor, which then
stops the parts in order) and gets a signal from the kernel when we die (Linux only).
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from onebox.errors import DidNotStart

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.02
NOBODY = 65534
# Loaded here, before any fork: between fork and exec only async-signal-safe calls may run.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _follow_parent(parent: int, signum: int) -> Callable[[], None]:
    def in_child() -> None:
        if _LIBC is not None:
            _LIBC.prctl(PR_SET_PDEATHSIG, signum)
            if os.getppid() != parent:  # it died before the call above
                os._exit(1)

    return in_child


@dataclass(frozen=True, slots=True)
class Spec:
    """How a child is started.

    `stop_signal` asks it to end in good order; `orphan_signal` is sent by the kernel when we die.
    `as_nobody` runs it without rights when we are root (PostgreSQL refuses root).
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: Path = Path("/")
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    as_nobody: bool = False


class Child:
    """A running process of ours."""

    def __init__(self, spec: Spec, popen: subprocess.Popen[bytes]) -> None:
        self.spec = spec
        self._popen = popen

    @classmethod
    def spawn(cls, spec: Spec, output: int | IO[bytes] = subprocess.DEVNULL) -> "Child":
        """Starts it. Call from the main thread: the kernel takes the end of the thread for ours."""
        rights: dict[str, Any] = {}
        if spec.as_nobody and os.geteuid() == 0:
            rights = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        popen = subprocess.Popen(  # noqa: S603 - argv is ours
            list(spec.argv),
            env=None if spec.env is None else dict(spec.env),
            cwd=spec.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_follow_parent(os.getpid(), spec.orphan_signal),
            **rights,
        )
        return cls(spec, popen)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> IO[bytes] | None:
        """The read end of its output, when it was started with `subprocess.PIPE`."""
        return self._popen.stdout

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative = ended by that signal."""
        return self._popen.poll()

    async def wait(self) -> int:
        """Waits for its end (and reaps it)."""
        while (code := self._popen.poll()) is None:  # noqa: ASYNC110 - another process
            await asyncio.sleep(POLL_SECONDS)
        return code

    def send(self, signum: signal.Signals) -> None:
        """A signal to the process; nothing when it has ended."""
        if self._popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._popen.send_signal(signum)

    async def stop(self, grace_seconds: float = 5.0) -> int:
        """Asks, waits, then insists; what it started itself ends with it."""
        self.send(self.spec.stop_signal)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wait(), grace_seconds)
        return await self.kill()

    async def kill(self) -> int:
        """SIGKILL to the process and to what it started in its process group, then reaps it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        return await self.wait()


async def run(
    argv: Sequence[str],
    *,
    seconds_max: float,
    as_nobody: bool = False,
    env: Mapping[str, str] | None = None,
    name: str = "",
    complain: Callable[[str], None] | None = None,
) -> str:
    """Runs a short command to its end; `DidNotStart` with its last words when it fails.

    `complain` gets every line of a command that failed.
    """
    name = name or Path(argv[0]).name
    child = Child.spawn(Spec(name, argv, env=env, as_nobody=as_nobody), subprocess.PIPE)
    output = child.output
    assert output is not None
    with output:
        reading = asyncio.get_running_loop().run_in_executor(None, output.read)
        try:
            code = await asyncio.wait_for(child.wait(), seconds_max)
        except TimeoutError:
            await child.kill()
            await reading
            raise DidNotStart(f"{name} took over {seconds_max:.0f} s") from None
        except asyncio.CancelledError:
            await asyncio.shield(child.kill())
            raise
        text = (await reading).decode(errors="replace").strip()
    if code:
        if complain is not None:
            for line in text.splitlines():
                complain(line)
        raise DidNotStart(f"{name} failed ({code}): {_last_lines(text, 2)}")
    return text


def _last_lines(text: str, count: int = 5) -> str:
    return " / ".join(text.splitlines()[-count:])


def last_words(log_file: Path, count: int = 5) -> str:
    """The last lines of a log, in one line; empty when there is none."""
    with contextlib.suppress(OSError):
        return _last_lines(log_file.read_text(errors="replace").strip(), count)
    return ""


def is_alive(pid: int) -> bool:
    """Whether this process runs; a zombie does not."""
    state = _state(pid)
    return state not in {None, "Z", "X"}


def _state(pid: int) -> str | None:
    if sys.platform != "linux":
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            return "S"
        return "S"
    with contextlib.suppress(OSError, IndexError):
        # The name in parentheses may hold anything, so the fields start after the last one.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return None


def command_of(pid: int) -> list[str]:
    """The argument list of a process; empty when unknown."""
    with contextlib.suppress(OSError):
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        return [part.decode(errors="replace") for part in raw.split(b"\0") if part]
    return []


def find_processes(matches: Callable[[int], bool]) -> list[int]:
    """Live processes (no zombies, not we) for which `matches(pid)`; empty without /proc."""
    return [
        int(entry.name)
        for entry in Path("/proc").glob("[0-9]*")
        if int(entry.name) != os.getpid() and is_alive(int(entry.name)) and matches(int(entry.name))
    ]


def lives_in(directory: Path) -> Callable[[int], bool]:
    """For `find_processes`: those whose working directory is this one."""

    def matches(pid: int) -> bool:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cwd").readlink() == directory
        return False

    return matches


def names(argument: str) -> Callable[[int], bool]:
    """For `find_processes`: those that have exactly this argument."""
    return lambda pid: argument in command_of(pid)


async def end_orphans(
    find: Callable[[], Iterable[int]],
    signals: Sequence[signal.Signals],
    seconds_each: float = 4.0,
) -> None:
    """Ends what an earlier run left, gently first; `DidNotStart` when something will not go."""
    for signum in signals:
        for pid in find():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signum)
        deadline = time.monotonic() + seconds_each
        while time.monotonic() < deadline:
            if not find():
                return
            await asyncio.sleep(POLL_SECONDS)
    if left := list(find()):
        raise DidNotStart(
            f"Process {left[0]} of an earlier run does not end; end it and try again."
        )
