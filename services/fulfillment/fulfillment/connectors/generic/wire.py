"""What the supplier may answer; its own words go no further than this."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_CODE = r"^[a-z][a-z0-9_]{0,63}$"
_PLAIN = r"^[^\x00-\x1f\x7f]*$"


class Status(StrEnum):
    ACCEPTED = "accepted"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Cost(BaseModel):
    amount: Annotated[int, Field(ge=0, le=10**13, strict=True)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class PurchaseAnswer(BaseModel):
    """Fields we do not know are the supplier's own matter."""

    model_config = ConfigDict(extra="ignore")

    reference: UUID
    status: Status
    code: Annotated[str, StringConstraints(pattern=_CODE)] | None = None
    cost: Cost | None = None
    supplier_reference: Annotated[str, StringConstraints(max_length=200, pattern=_PLAIN)] = ""
    receipt: Annotated[str, StringConstraints(max_length=500, pattern=_PLAIN)] = ""
