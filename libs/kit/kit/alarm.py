"""What wakes a loop: now, or a moment later for all that comes until then."""

import asyncio


class Alarm:
    """Rings once, at the earliest moment that anybody asked for."""

    def __init__(self) -> None:
        self._rang = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def ring(self, patience: float = 0.0) -> None:
        """Ring now, or within `patience` seconds."""
        if patience <= 0:
            self._ring()
            return
        loop = asyncio.get_running_loop()
        if self._timer is None or self._timer.when() > loop.time() + patience:
            self._stop_timer()
            self._timer = loop.call_later(patience, self._ring)

    def clear(self) -> None:
        """Whoever calls looks now: what rang or would have rung is answered."""
        self._rang.clear()
        self._stop_timer()

    async def wait(self, seconds: float) -> bool:
        """Whether it rang within so many seconds, or had rung already."""
        try:
            async with asyncio.timeout(seconds):
                await self._rang.wait()
        except TimeoutError:
            return False
        return True

    def _ring(self) -> None:
        self._stop_timer()
        self._rang.set()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
