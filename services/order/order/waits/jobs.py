"""Watches what waits: a figure per kind, and a word in the log about what needs somebody."""

from prometheus_client import Gauge

from kit.db import Database
from kit.logging import get_logger
from kit.periodic import Periodic
from order.waits.domain import WaitKind
from order.waits.service import WaitService

WAITS = Gauge("lockstock_order_waits", "Things that wait, of all merchants", ["kind"])
OLDEST = Gauge(
    "lockstock_order_waits_oldest_seconds", "Since when the oldest of them waits", ["kind"]
)
SILENT = frozenset({WaitKind.CHECKOUT, WaitKind.ASSESSMENT, WaitKind.FULFILLMENT, WaitKind.LOST})
"""Where a word is overdue: an event was lost, or a provider or another service is down."""

log = get_logger(__name__)


def watch_waits(db: Database, waits: WaitService, *, every_seconds: float) -> Periodic:
    """Counts what waits, so that nothing waits unseen."""

    async def run() -> None:
        async with db.read() as tx:
            found = {backlog.kind: backlog for backlog in await waits.count(tx)}
        for kind in WaitKind:
            backlog = found.get(kind)
            WAITS.labels(kind.value).set(backlog.number if backlog else 0)
            OLDEST.labels(kind.value).set(backlog.oldest_seconds if backlog else 0)
            if backlog and kind in SILENT:
                log.warning(
                    "orders_without_a_word",
                    kind=kind.value,
                    number=backlog.number,
                    oldest_seconds=int(backlog.oldest_seconds),
                )

    return Periodic("watch-waits", every_seconds, run)
