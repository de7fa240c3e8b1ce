from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import Model
from risk.challenges.domain import Challenge, ChallengeStatus

CODE_LENGTH_MAX = 12


class CodeShown(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "294173"}]})

    code: Annotated[
        str,
        StringConstraints(pattern=r"^[0-9A-Za-z]+$", min_length=1, max_length=CODE_LENGTH_MAX),
        Field(description="what the buyer entered"),
    ]


class ResendRead(Model):
    """The same whether a code was sent or not."""

    valid_seconds: int = Field(description="how long a code works, if one was sent")


class ChallengeRead(Model):
    id: UUID
    order_id: UUID
    status: ChallengeStatus
    reason: str = Field(description="the rules that ask for the code, with their values")
    channel: str | None = Field(description="sms, mail; null before a code was sent")
    target: str | None = Field(description="where the last code went, masked")
    tries_left: int = Field(description="over all codes; each code may have fewer")
    opened_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    @classmethod
    def from_domain(cls, challenge: Challenge, tries_left: int) -> Self:
        return cls(
            id=challenge.id,
            order_id=challenge.order_id,
            status=challenge.status,
            reason=challenge.reason,
            channel=challenge.channel or None,
            target=challenge.target or None,
            tries_left=tries_left,
            opened_at=challenge.opened_at,
            expires_at=challenge.expires_at,
            ended_at=challenge.ended_at,
        )
