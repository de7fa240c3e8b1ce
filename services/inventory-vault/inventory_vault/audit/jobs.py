import time

from prometheus_client import Gauge

from inventory_vault.alarms.service import raise_alarm
from inventory_vault.audit.domain import AUDIT_LOG
from inventory_vault.audit.service import AuditService
from inventory_vault.sequencer.sequencing import Sequencer
from kit.db import Database
from kit.periodic import Periodic

SEQUENCE_EVERY_SECONDS = 0.5
WATCH_EVERY_SECONDS = 2.0
WAIT_SECONDS_MAX = 10.0
REPEAT_ALARM_SECONDS = 60.0

WAITING = Gauge(
    "inventory_vault_audit_waiting_seconds", "How long the first entry has waited for its place"
)


def sequence_log(sequencer: Sequencer) -> Periodic:
    """Entries get their places in the log, and a checkpoint is signed."""
    return Periodic("sequence-audit-log", SEQUENCE_EVERY_SECONDS, sequencer.run)


def watch_log(db: Database, audit: AuditService) -> Periodic:
    """An alarm when entries wait too long: what is not signed yet could still be removed unseen."""
    alarmed_at = -REPEAT_ALARM_SECONDS

    async def run() -> None:
        nonlocal alarmed_at
        async with db.read() as tx:
            waiting = await audit.longest_wait_seconds(tx)
        WAITING.set(waiting)
        now = time.monotonic()
        if waiting <= WAIT_SECONDS_MAX or now - alarmed_at < REPEAT_ALARM_SECONDS:
            return
        alarmed_at = now
        async with db.transaction() as tx:
            await raise_alarm(
                tx, "audit_behind", AUDIT_LOG, merchant_id=None, waiting_seconds=round(waiting)
            )

    return Periodic("watch-audit-log", WATCH_EVERY_SECONDS, run)
