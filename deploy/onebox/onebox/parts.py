"""A part of the set: something with a process that is launched, becomes ready, dies, is stopped."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from onebox.errors import DidNotStart, OneboxError
from onebox.output import Lines, Output
from onebox.processes import Child, Spec

READY_SECONDS_MAX = 60.0
BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_MAX_SECONDS = 10.0
LAST_WORDS_SECONDS = 0.5
STEADY_SECONDS = 20.0  # having lived so long, the next death is a first one again


class Part(Protocol):
    """What the supervisor keeps alive."""

    @property
    def name(self) -> str: ...
    @property
    def child(self) -> Child | None: ...
    async def launch(self) -> None:
        """Starts the process; does not wait until it is ready."""

    async def wait_ready(self) -> None:
        """Returns when it serves; `DidNotStart` when it ended or is late."""

    async def stop(self) -> None:
        """In good order, hard when that takes too long."""

    async def kill(self) -> None:
        """As a crash would."""


class Program:
    """A process of ours (a service, a helper of one) whose output goes to the common log."""

    def __init__(self, spec: Spec, ready: Callable[[], Awaitable[bool]], output: Output) -> None:
        self._spec = spec
        self._ready = ready
        self._output = output
        self._last_lines: list[str] = []
        self._lines = Lines(self._take)
        self._pipe: asyncio.ReadTransport | None = None
        self.child: Child | None = None

    @property
    def name(self) -> str:
        return self._spec.name

    async def launch(self) -> None:
        self._last_lines.clear()
        self.child = Child.spawn(self._spec, subprocess.PIPE)
        loop = asyncio.get_running_loop()
        self._lines = Lines(self._take)
        self._pipe, _ = await loop.connect_read_pipe(lambda: self._lines, self.child.output)

    async def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.child is None or self.child.exit_code is not None:
                await self._read_to_the_end()
                words = " / ".join(self._last_lines[-4:])
                raise DidNotStart(f"{self.name} ended while starting: {words}")
            if await self._ready():
                return
            await asyncio.sleep(0.05)
        raise DidNotStart(
            f"{self.name} was not ready after {READY_SECONDS_MAX:.0f} s;"
            f" its log is in the folder `log`."
        )

    async def stop(self, grace_seconds: float = 5.0) -> None:
        if self.child is not None:
            await self.child.stop(grace_seconds)
            await self._read_to_the_end()

    async def kill(self) -> None:
        if self.child is not None:
            await self.child.kill()
            await self._read_to_the_end()

    async def _read_to_the_end(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._lines.ended.wait(), LAST_WORDS_SECONDS)
        if self._pipe is not None:
            self._pipe.close()

    def _take(self, line: str) -> None:
        self._last_lines = [*self._last_lines[-9:], line]
        self._output.line(self.name, line)


class Keeper:
    """Keeps one part alive: launched again after a pause that grows while it keeps dying."""

    def __init__(self, part: Part, say: Callable[[str], None], *, restart: bool = True) -> None:
        self.part = part
        self.restarts = 0
        self._say = say
        self._restart = restart
        self._stopping = False
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        child = self.part.child
        return None if child is None or child.exit_code is not None else child.pid

    async def start(self) -> None:
        """Launches it, waits until it is ready, and keeps it so from now on."""
        await self.part.launch()
        await self.part.wait_ready()
        self._watch = asyncio.create_task(self._keep())

    async def ready(self) -> None:
        """Waits until it (or its successor) is ready; `DidNotStart` when that takes too long."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            with contextlib.suppress(DidNotStart):
                if self.pid is not None:
                    await self.part.wait_ready()
                    return
            if time.monotonic() > deadline:
                raise DidNotStart(f"{self.part.name} did not come back.")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Ends the part for good."""
        self._stopping = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self.part.stop()

    async def _keep(self) -> None:
        pause = BACKOFF_FIRST_SECONDS
        while True:
            began = time.monotonic()
            code = await self.part.child.wait() if self.part.child is not None else 0
            if self._stopping or not self._restart:
                return
            if time.monotonic() - began > STEADY_SECONDS:
                pause = BACKOFF_FIRST_SECONDS
            self._say(f"{self.part.name} ended ({_how(code)}); starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, BACKOFF_MAX_SECONDS)
            await self._launch_again()

    async def _launch_again(self) -> None:
        self.restarts += 1
        try:
            await self.part.launch()
        except (OneboxError, OSError) as error:
            self._say(f"{self.part.name} cannot be started: {error}")


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"
