"""A background loop that survives errors."""

import asyncio
from collections.abc import Awaitable, Callable

from kit.alarm import Alarm
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
        self._alarm = Alarm()
        self._stopping = False

    def wake(self, patience: float = 0.0) -> None:
        """Start the next round now, or within `patience` seconds, for all that comes until then."""
        self._alarm.ring(patience)

    def stop(self) -> None:
        """End after the round that runs now."""
        self._stopping = True
        self._alarm.ring()

    async def run(self) -> None:
        """Loop until `stop()`; a round is never cancelled in the middle by stopping."""
        with for_every_merchant(f"job {self.name}"):
            await self._loop()

    async def _loop(self) -> None:
        failures = 0
        while not self._stopping:
            self._alarm.clear()
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
            await self._alarm.wait(pause)

    def _report(self, error: Exception, failures: int) -> None:
        if isinstance(error, DomainError) and error.kind is ErrorKind.UNAVAILABLE:
            log.warning("job_waits", job=self.name, reason=error.detail, failures=failures)
        else:
            log.error("job_failed", job=self.name, failures=failures, exc_info=error)
