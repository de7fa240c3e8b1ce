"""The wire of the one-time code at a buyer's page."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.step_ups.domain import CODE_LENGTH_MAX, Proof
from kit.http import Model


class StepUpRead(Model):
    """The same whether there was a way to send a code or not."""

    valid_seconds: int = Field(description="How long a code works, if one was sent.")


class StepUpConfirm(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "294173"}]})

    code: Annotated[
        str, StringConstraints(pattern=r"^[0-9A-Za-z]+$", min_length=1, max_length=CODE_LENGTH_MAX)
    ]


class ProofRead(Model):
    proof: str = Field(
        description="For the header `Lockstock-Proof` of reveals of this page; keep it in memory."
    )
    ends_at: datetime

    @classmethod
    def from_domain(cls, proof: Proof) -> Self:
        return cls(proof=proof.text, ends_at=proof.ends_at)
