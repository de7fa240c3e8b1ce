"""Kills and freezes the processes of a stand, one after the other, in an order its seed decides."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

from tests.history.stand import Stand

PAUSE_SECONDS = (0.6, 2.0)
FREEZE_SECONDS = (1.0, 4.0)
SESSION = b"lockstock"
"""In the title of a backend that serves the vault: the name of its role."""


class Wrecker:
    """`acts` counts what was done, by kind and victim."""

    def __init__(self, stand: Stand, random: Random) -> None:
        self.acts: Counter[str] = Counter()
        self._stand = stand
        self._random = random
        self._stopping = False
        # How often every kind of act was done.
        self.rounds = 0

    async def run(self) -> None:
        """Bag after bag of all kinds, shuffled, until `stop`."""
        while not self._stopping:
            bag = self._kinds()
            self._random.shuffle(bag)
            for name, act in bag:
                await asyncio.sleep(self._random.uniform(*PAUSE_SECONDS))
                if self._stopping:
                    return
                await act()
                self.acts[name] += 1
                self._stand.revive()
            self.rounds += 1

    def stop(self) -> None:
        self._stopping = True

    def _kinds(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        kinds: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("kill postgres", self._kill_postgres),
            ("stop postgres at once", self._stop_postgres_at_once),
            ("kill a backend", self._kill_backend),
        ]
        for name in self._stand.names:
            what = name.partition("-")[0]
            kinds.append((f"kill {what}", lambda name=name: self._stand.restart(name)))  # type: ignore[misc]
            kinds.append((f"freeze {what}", lambda name=name: self._freeze(name)))  # type: ignore[misc]
        return kinds

    async def _freeze(self, name: str) -> None:
        """What it was asked meanwhile it may do later, when nobody waits any more."""
        process = self._stand.process(name)
        process.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(self._random.uniform(*FREEZE_SECONDS))
        finally:
            process.send(signal.SIGCONT)

    async def _kill_postgres(self) -> None:
        await self._stand.postgres.kill()
        await self._stand.postgres.start()

    async def _stop_postgres_at_once(self) -> None:
        """As `pg_ctl stop -m immediate`: no checkpoint, recovery at the next start."""
        child = self._stand.postgres.child
        assert child is not None
        child.send(signal.SIGQUIT)
        await child.wait()
        await self._stand.postgres.start()

    async def _kill_backend(self) -> None:
        """kill -9 of one session's process: the server throws out everybody and recovers."""
        child = self._stand.postgres.child
        assert child is not None
        sessions = [pid for pid in _children(child.pid) if SESSION in _title(pid)]
        with contextlib.suppress(ProcessLookupError):
            if sessions:
                os.kill(self._random.choice(sessions), signal.SIGKILL)
        await self._stand.postgres.wait_ready()


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _title(pid: int) -> bytes:
    """As a backend tells it: postgres: role database host(port) what it does."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
