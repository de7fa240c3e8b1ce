from typing import Any
from uuid import UUID

from prometheus_client import Counter

from inventory_vault.alarms import repository
from inventory_vault.alarms.domain import Alarm, AlarmNotFound
from inventory_vault.audit.service import SYSTEM, note
from kit.db import Transaction
from kit.logging import get_logger

log = get_logger(__name__)

RAISED = Counter("inventory_vault_alarms_total", "Alarms raised, repeats included", ["kind"])


async def raise_alarm(
    tx: Transaction,
    kind: str,
    object_id: UUID,
    *,
    merchant_id: UUID | None,
    **details: Any,
) -> None:
    """An alarm that stays until an operator closes it; the same again is counted, not repeated.

    `details` are ids, figures and reasons that JSON can hold, never a code.
    """
    RAISED.labels(kind).inc()
    log.critical("alarm", kind=kind, object_id=str(object_id), **details)
    alarm_id, is_new = await repository.add(tx, kind, object_id, merchant_id, details)
    if is_new:
        note(
            tx,
            "alarm.raised",
            alarm_id,
            merchant_id=merchant_id,
            actor=SYSTEM,
            kind=kind,
            about=str(object_id),
        )


class AlarmService:
    """What an operator sees of the alarms."""

    async def list_of(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        is_open: bool | None,
        after: UUID | None,
        limit: int,
    ) -> list[Alarm]:
        return await repository.list_of(tx, merchant_id, is_open=is_open, after=after, limit=limit)

    async def close(
        self,
        tx: Transaction,
        merchant_id: UUID,
        alarm_id: UUID,
        *,
        resolution: str,
        requested_by: str,
    ) -> Alarm:
        """Raises AlarmNotFound."""
        alarm = await repository.close(tx, merchant_id, alarm_id, requested_by, resolution)
        if alarm is None:
            raise AlarmNotFound
        note(
            tx,
            "alarm.closed",
            alarm.id,
            merchant_id=merchant_id,
            actor=requested_by,
            resolution=resolution,
        )
        return alarm
