"""What a supplier of our own protocol may answer; its own words go no further than this."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

_CODE = r"^[a-z][a-z0-9_]{0,63}$"
_PLAIN = r"^[^\x00-\x1f\x7f]*$"
CODES_MAX = 1_000
Plain = Annotated[str, StringConstraints(max_length=200, pattern=_PLAIN)]


class Status(StrEnum):
    ACCEPTED = "accepted"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class _Read(BaseModel):
    """Fields we do not know are the supplier's own matter."""

    model_config = ConfigDict(extra="ignore")


class Cost(_Read):
    amount: Annotated[int, Field(ge=0, le=10**13, strict=True)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class BoughtCode(_Read):
    fields: Annotated[
        dict[
            Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")],
            Annotated[str, StringConstraints(min_length=1, max_length=4_000)],
        ],
        Field(min_length=1, max_length=10, repr=False),
    ]
    expires_at: AwareDatetime | None = None


class PurchaseAnswer(_Read):
    reference: UUID
    status: Status
    code: Annotated[str, StringConstraints(pattern=_CODE)] | None = None
    cost: Cost | None = None
    supplier_reference: Plain = ""
    receipt: Annotated[str, StringConstraints(max_length=500, pattern=_PLAIN)] = ""
    codes: Annotated[list[BoughtCode], Field(max_length=CODES_MAX, repr=False)] = []


class BalanceAnswer(_Read):
    balance: Cost


class ArticleAnswer(_Read):
    sku: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PLAIN)]
    name: Plain = ""
    cost: Cost
    stock: Annotated[int, Field(ge=0, le=10**12)] | None = None


class ArticlesAnswer(_Read):
    articles: Annotated[list[ArticleAnswer], Field(max_length=1_000)]
    next_cursor: Plain | None = None
