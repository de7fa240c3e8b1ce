from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from inventory_vault.alarms.domain import Alarm
from kit.http import Model, Name


class AlarmRead(Model):
    id: UUID
    kind: str = Field(description="box_refused, conservation_broken, opener_capped, ...")
    object_id: UUID = Field(description="The unit, lot or key it is about.")
    details: dict[str, Any]
    count: int = Field(description="How often it happened while the alarm was open.")
    raised_at: datetime
    last_raised_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    resolution: str | None

    @classmethod
    def from_domain(cls, alarm: Alarm) -> Self:
        return cls(
            id=alarm.id,
            kind=alarm.kind,
            object_id=alarm.object_id,
            details=alarm.details,
            count=alarm.count,
            raised_at=alarm.raised_at,
            last_raised_at=alarm.last_raised_at,
            closed_at=alarm.closed_at,
            closed_by=alarm.closed_by,
            resolution=alarm.resolution,
        )


class AlarmClose(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"resolution": "restored from the backup of 26 November"}]}
    )

    resolution: Name
