from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import Model
from risk.changes.domain import Change, ChangeKind


class ChangeRead(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0193a3f0-0000-7000-8000-000000000021",
                    "at": "2026-11-28T13:30:00Z",
                    "author": "0193a3f0-0000-7000-8000-000000000002",
                    "kind": "entry_removed",
                    "about": "0193a3f0-0000-7000-8000-000000000022",
                    "was": {
                        "list": "block",
                        "kind": "ip",
                        "value": "203.0.113.7",
                        "reason": "chargeback of May",
                        "author": "0193a3f0-0000-7000-8000-000000000003",
                        "added_at": "2026-05-30T09:00:00Z",
                        "expires_at": None,
                    },
                }
            ]
        }
    )

    id: UUID
    at: datetime
    author: str
    kind: ChangeKind
    about: Annotated[UUID, Field(description="the rule or entry; the merchant, of its policy")]
    was: Annotated[
        dict[str, Any] | None,
        Field(description="what was overwritten or removed, and who had said it; null: nothing"),
    ]

    @classmethod
    def from_domain(cls, change: Change) -> Self:
        return cls(
            id=change.id,
            at=change.at,
            author=change.author,
            kind=change.kind,
            about=change.about,
            was=None if change.was is None else dict(change.was),
        )
