"""Signs of life a loop leaves for the watchdog's thread. Plain floats: written here, read there."""

import time


class Progress:
    """Times of the last signs, on the monotonic clock."""

    def __init__(self) -> None:
        now = time.monotonic()
        self.beat_at = now
        self.advanced_at = now
        self.started = False

    def beat(self) -> None:
        """The loop went round."""
        self.beat_at = time.monotonic()
        self.started = True

    def advanced(self) -> None:
        """Work was done, or waits for a known outside reason (a database that is down)."""
        self.advanced_at = time.monotonic()
