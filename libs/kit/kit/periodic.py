"""A background loop that survives errors."""

import asyncio
from collections.abc import Awaitable, Callable

from kit.errors import DomainError, ErrorKind
from kit.logging import get_logger
from kit.tenancy import for_every_merchant

log = get_logger(__name__)

_BACKOFF_SECONDS_MAX = 10.0


class Periodic:
    """Runs `run` every `every_seconds`, at once after `wake()`, and again at once while it says
    True.

    `run` answers True when more work waits. An error is logged and the next round comes after a
    growing pause (at most 10 s), so a missing database neither ends the loop nor floods the log.
    """

    def __init__(
        self, name: str, every_seconds: float, run: Callable[[], Awaitable[bool | None]]
    ) -> None:
        self.name = name
        self._every_seconds = every_seconds
        self._run = run
        self._wake = asyncio.Event()
        self._waking: asyncio.TimerHandle | None = None
        self._stopping = False

    def wake(self, patience: float = 0.0) -> None:
        """Start the next round now, or within `patience` seconds, for all that comes until then."""
        if patience <= 0:
            self._wake.set()
        elif self._waking is None:
            self._waking = asyncio.get_running_loop().call_later(patience, self._wake.set)

    def stop(self) -> None:
        """End after the round that runs now."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Loop until `stop()`; a round is never cancelled in the middle by stopping."""
        with for_every_merchant(f"job {self.name}"):
            await self._loop()

    async def _loop(self) -> None:
        failures = 0
        while not self._stopping:
            self._wake.clear()
            self._forget_waking()
            try:
                again = await self._run()
                failures = 0
            except Exception as error:
                failures += 1
                again = False
                self._report(error, failures)
            if again:
                await asyncio.sleep(0)
                continue
            pause = self._every_seconds
            if failures:
                pause = min(max(pause, 0.1 * 2 ** min(failures, 10)), _BACKOFF_SECONDS_MAX)
            await self._wait(pause)

    def _forget_waking(self) -> None:
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    def _report(self, error: Exception, failures: int) -> None:
        if isinstance(error, DomainError) and error.kind is ErrorKind.UNAVAILABLE:
            log.warning("job_waits", job=self.name, reason=error.detail, failures=failures)
        else:
            log.error("job_failed", job=self.name, failures=failures, exc_info=error)
