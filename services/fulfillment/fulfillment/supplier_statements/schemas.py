"""The wire of suppliers' statements."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from fulfillment.supplier_statements.domain import Statement
from kit.http import Model


class StatementRead(Model):
    """A supplier's statement and how it agrees with our books."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a91",
                    "supplier": "acme",
                    "file_name": "2026-11.csv",
                    "state": "completed",
                    "reason": "",
                    "period_from": "2026-11-01T00:00:00Z",
                    "period_to": "2026-11-30T23:59:59Z",
                    "lines": 1204,
                    "refused": 0,
                    "results": {"matched": 1201, "missing_here": 1, "amount_differs": 2},
                    "created_at": "2026-12-01T09:00:00Z",
                    "ended_at": "2026-12-01T09:00:01Z",
                }
            ]
        }
    )

    id: UUID
    supplier: str
    file_name: str
    state: Literal["reading", "completed", "failed"]
    reason: str = Field(description="Why it could not be read; empty when it could.")
    period_from: datetime | None
    period_to: datetime | None
    lines: int = Field(description="So far, while it is read.")
    refused: int = Field(description="Lines that cannot be read: no reference, amount or time.")
    results: dict[str, int] = Field(
        description="How many are `matched`, `pending`, `missing_here`, `missing_there`, "
        "`amount_differs`, `state_differs`, `listed_twice`. Each difference is a case of the kind "
        "`statement_<word>`."
    )
    created_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def from_domain(cls, it: Statement) -> Self:
        values = {name: getattr(it, name) for name in cls.model_fields}
        return cls(**{**values, "state": it.state.value, "results": dict(it.results)})
