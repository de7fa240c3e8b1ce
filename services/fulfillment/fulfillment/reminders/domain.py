"""Telling buyers in time that something they hold ends."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

DAYS_DEFAULT = (7, 1)
DAYS_MAX = 90
STEPS_MAX = 5


@dataclass(frozen=True, slots=True)
class ReminderSetting:
    """How many days before its end a unit is reminded of; no days: never."""

    merchant_id: UUID
    days: tuple[int, ...] = DAYS_DEFAULT


@dataclass(frozen=True, slots=True)
class ExpiringUnit:
    """A unit that its buyer has not used, and the step it is reminded of by: so many days before.

    A step counts only for what was delivered before it began: nobody is reminded of what he has
    just bought.
    """

    unit_id: UUID
    order_id: UUID
    merchant_id: UUID
    delivery_id: UUID
    line_id: UUID
    sku: str
    name: str
    expires_at: datetime
    days: int
    is_opened: bool
