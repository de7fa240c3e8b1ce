from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prometheus_client import Counter

from inventory_vault.alarms import repository
from inventory_vault.alarms.domain import Alarm, AlarmNotFound, NewAlarm
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
    await raise_alarms(tx, kind, [NewAlarm(object_id, merchant_id, details)])


async def raise_alarms(tx: Transaction, kind: str, alarms: Sequence[NewAlarm]) -> None:
    """Many of one kind by one statement; of two about one object the last counts."""
    RAISED.labels(kind).inc(len(alarms))
    for alarm in alarms:
        log.critical("alarm", kind=kind, object_id=str(alarm.object_id), **alarm.details)
    for alarm_id, alarm in await repository.add(tx, kind, alarms):
        note(
            tx,
            "alarm.raised",
            alarm_id,
            merchant_id=alarm.merchant_id,
            actor=SYSTEM,
            kind=kind,
            about=str(alarm.object_id),
        )


class AlarmService:
    """What an operator sees of the alarms."""

    async def list_of(
        self,
        tx: Transaction,
        merchant_id: UUID | None,
        *,
        is_open: bool | None,
        after: UUID | None,
        limit: int,
    ) -> list[Alarm]:
        return await repository.list_of(tx, merchant_id, is_open=is_open, after=after, limit=limit)

    async def close(
        self,
        tx: Transaction,
        merchant_id: UUID | None,
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
