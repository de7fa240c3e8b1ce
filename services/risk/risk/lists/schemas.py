from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import Model, Timestamp
from risk.lists.domain import (
    ENTRIES_AT_ONCE_MAX,
    VALUE_LENGTH_MAX,
    Entry,
    EntryKind,
    EntryText,
)

_PLAIN = r"^[^\x00-\x1f\x7f]*$"
ValueText = Annotated[
    str, StringConstraints(min_length=1, max_length=VALUE_LENGTH_MAX, pattern=_PLAIN)
]


class EntryGiven(Model):
    kind: EntryKind
    value: Annotated[
        ValueText,
        Field(
            description="an address; a network as CIDR; a contact: a mail address, a phone number, "
            "or its hash as the fact contact_hash has it (only the hash is kept); otherwise the "
            "shop's own text",
            examples=["203.0.113.7"],
        ),
    ]
    reason: Annotated[str, StringConstraints(max_length=500, pattern=_PLAIN)] = ""
    expires_at: Annotated[
        Timestamp | None, Field(description="counts no more from then on; null: for good")
    ] = None

    def to_domain(self) -> EntryText:
        return EntryText(self.kind, self.value, self.reason, self.expires_at)


class EntriesPut(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "entries": [
                        {"kind": "ip", "value": "203.0.113.7", "reason": "chargeback of May"},
                        {"kind": "network", "value": "198.51.100.0/24"},
                    ]
                }
            ]
        }
    )

    entries: Annotated[list[EntryGiven], Field(min_length=1, max_length=ENTRIES_AT_ONCE_MAX)]


class EntryWanted(Model):
    """A value as it may be put on a list."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "ip", "value": "203.0.113.7"}]}
    )

    kind: EntryKind
    value: ValueText

    def to_domain(self) -> EntryText:
        return EntryText(self.kind, self.value, "", None)


class EntryRead(Model):
    id: UUID
    list: str
    kind: EntryKind
    value: str
    reason: str
    author: str
    added_at: datetime
    expires_at: datetime | None

    @classmethod
    def from_domain(cls, entry: Entry) -> Self:
        return cls(
            id=entry.id,
            list=entry.list,
            kind=entry.kind,
            value=entry.value,
            reason=entry.reason,
            author=entry.author,
            added_at=entry.added_at,
            expires_at=entry.expires_at,
        )


class EntriesRead(Model):
    entries: list[EntryRead]
