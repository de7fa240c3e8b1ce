"""What an operator must look at: something that cannot happen unless somebody interferes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kit.errors import NotFound


@dataclass(frozen=True, slots=True)
class Alarm:
    """`count` and `last_raised_at` grow while it is open; a new one begins after it was closed."""

    id: UUID
    merchant_id: UUID | None
    kind: str
    object_id: UUID
    details: dict[str, Any]
    count: int
    raised_at: datetime
    last_raised_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    resolution: str | None


@dataclass(frozen=True, slots=True)
class NewAlarm:
    """What one of many alarms of a kind is about."""

    object_id: UUID
    merchant_id: UUID | None
    details: Mapping[str, Any]


class AlarmNotFound(NotFound):
    """There is no such open alarm, or it is not yours."""

    code = "alarm_not_found"
