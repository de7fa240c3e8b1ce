"""What risk asks about a challenge's code."""

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.one_time_codes.domain import Verdict
from kit.http import Model, Reference

CODE_LENGTH_MAX = 12


class ChallengeCodeSend(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"order_id": "0193a3f0-0000-7000-8000-000000000010", "reference": "shop-10001"}
            ]
        }
    )

    order_id: UUID
    reference: Annotated[Reference, Field(description="the order's, for the words")]


class ChallengeCodeRead(Model):
    """The same whether there was a way to send a code or not."""

    valid_seconds: int = Field(description="how long a code works, if one was sent")


class ChallengeCodeCheck(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "294173"}]})

    code: Annotated[
        str, StringConstraints(pattern=r"^[0-9A-Za-z]+$", min_length=1, max_length=CODE_LENGTH_MAX)
    ]


class ChallengeCodeChecked(Model):
    verdict: Verdict = Field(description="right, wrong, gone (none works any more)")
