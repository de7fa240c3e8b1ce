"""What an operator must look at: something that cannot happen unless somebody interferes."""

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


class AlarmNotFound(NotFound):
    """There is no such open alarm, or it is not yours."""

    code = "alarm_not_found"
