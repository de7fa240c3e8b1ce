"""The sender. Each endpoint has a queue and two lanes of its own: a lane makes one call at a time,
so a silent receiver keeps nobody waiting but itself.

Who takes a lane takes due deliveries for it, calls, and writes down what came of it. A crash in
between is harmless: the lease ends, and the same webhook is sent again under the same id.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

from fulfillment.connector import NotSent
from fulfillment.outside import Heard, Outside
from fulfillment.webhook_deliveries.domain import Answered, Batch, Due, Lane, Result, judge
from fulfillment.webhook_deliveries.service import WebhookDeliveryService
from fulfillment.webhook_signatures import signed_headers
from kit.db import Database
from kit.logging import get_logger

log = get_logger(__name__)

FAILURES_IN_A_ROW_MAX = 3
"""A batch ends with so many failures in a row: then the endpoint's circuit decides."""
CLOSE_SECONDS_MAX = 5.0


class WebhookSender:
    """`lanes_max`: calls under way at a time; endpoints that fail get half of them at most."""

    def __init__(
        self,
        db: Database,
        deliveries: WebhookDeliveryService,
        outside: Outside,
        *,
        timeout: timedelta,
        lanes_max: int,
    ) -> None:
        self._db = db
        self._deliveries = deliveries
        self._outside = outside
        self._timeout = timeout
        self._lanes_max = lanes_max
        self._good: set[asyncio.Task[None]] = set()
        self._suspect: set[asyncio.Task[None]] = set()
        self._is_closing = False

    async def run(self) -> None:
        """Starts work on every endpoint that something is due for; waits for none."""
        if self._is_closing:
            return
        free = self._lanes_max - len(self._good) - len(self._suspect)
        allowed = min(free, self._lanes_max // 2 - len(self._suspect))
        async with self._db.read() as tx:
            good = await self._deliveries.take_lanes(tx, are_suspect=False, limit=max(free, 0))
            suspect = await self._deliveries.take_lanes(
                tx, are_suspect=True, limit=max(min(allowed, free - len(good)), 0)
            )
        for lanes, running in ((good, self._good), (suspect, self._suspect)):
            for lane in lanes:
                task = asyncio.create_task(self._work(lane))
                running.add(task)
                task.add_done_callback(running.discard)

    async def close(self) -> None:
        """Calls under way may end; what is cut off is sent again by another worker."""
        self._is_closing = True
        running = self._good | self._suspect
        if running:
            await asyncio.wait(running, timeout=CLOSE_SECONDS_MAX)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _work(self, lane: Lane) -> None:
        try:
            while not self._is_closing and (batch := await self._next(lane)):
                results = await self._send_all(batch)
                async with self._db.transaction() as tx:
                    await self._deliveries.record(tx, lane, batch.url, results)
            async with self._db.transaction() as tx:
                await self._deliveries.free(tx, lane)
        except Exception:
            # Its lease ends by itself, and what it had taken is due again.
            log.exception("webhook_lane_failed", endpoint_id=str(lane.endpoint_id))

    async def _next(self, lane: Lane) -> Batch | None:
        async with self._db.transaction() as tx:
            return await self._deliveries.next_batch(tx, lane)

    async def _send_all(self, batch: Batch) -> list[Result]:
        """In order, until something says that it is time to write down and to look again."""
        began = time.monotonic()
        answered: list[tuple[float, float, Due, Answered]] = []
        for due in batch.deliveries:
            start = time.monotonic()
            answer = await self._send(batch, due)
            answered.append((start, time.monotonic() - start, due, answer))
            is_late = time.monotonic() - began > self._timeout.total_seconds()
            if is_late or self._is_closing or answer.is_gone or answer.pause or _is_bad(answered):
                break
        now = time.monotonic()
        return [
            self._deliveries.result(
                due, answer, timedelta(seconds=took), timedelta(seconds=now - start)
            )
            for start, took, due, answer in answered
        ]

    async def _send(self, batch: Batch, due: Due) -> Answered:
        body = due.body.encode()
        # The time of this attempt by the clock of this host: receivers allow five minutes.
        headers = signed_headers(batch.keys, str(due.event_id), int(time.time()), body)
        heard = await self._outside.call(
            "POST", batch.url, headers=headers, content=body, timeout=self._timeout
        )
        if isinstance(heard, Heard):
            return judge(heard.status, heard.headers)
        reason = "not_reached" if isinstance(heard, NotSent) else heard.reason
        if isinstance(heard, NotSent) and heard.reason == "address_not_allowed":
            reason = heard.reason
        return Answered(None, reason)


def _is_bad(answered: Sequence[tuple[float, float, Due, Answered]]) -> bool:
    last = answered[-FAILURES_IN_A_ROW_MAX:]
    return len(last) == FAILURES_IN_A_ROW_MAX and not any(it[3].is_delivered for it in last)
