"""The wire of reminders."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from fulfillment.reminders.domain import DAYS_MAX, STEPS_MAX, ReminderSetting
from kit.http import Model

Day = Annotated[int, Field(ge=1, le=DAYS_MAX, strict=True)]


def _each_once(days: list[int]) -> list[int]:
    if len(set(days)) != len(days):
        raise ValueError("a day is named once")
    return sorted(days, reverse=True)


class ReminderSettingBody(Model):
    """When buyers are told that something they have not used ends."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"days": [7, 1]}]})

    days: Annotated[list[Day], Field(max_length=STEPS_MAX), AfterValidator(_each_once)] = Field(
        description="So many days before the end, each once; none: no reminders. 7 and 1 if unset."
    )

    def to_domain(self, merchant_id: UUID) -> ReminderSetting:
        return ReminderSetting(merchant_id, tuple(self.days))

    @classmethod
    def from_domain(cls, setting: ReminderSetting) -> Self:
        return cls(days=list(setting.days))
