"""What is written into the audit log: facts with ids and figures, never a code or a contact."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

Fact = str | int | bool | None | list["Fact"] | Mapping[str, "Fact"]
"""What JSON can say without floats: the same fact has the same bytes everywhere."""


@dataclass(frozen=True, slots=True)
class Note:
    """An entry on its way into the log, in the transaction of what it tells."""

    action: str
    merchant_id: UUID | None
    object_id: UUID
    actor: str
    facts: Mapping[str, Fact]


def units_digest(unit_ids: Iterable[UUID]) -> str:
    """Which units a sale had, in 64 hexadecimal digits: SHA-256 over their ids in order of value.
    An entry stays small however many units it tells of, and the sales rows can be held against it.
    """
    digest = hashlib.sha256()
    for unit_id in sorted(unit_ids):
        digest.update(unit_id.bytes)
    return digest.hexdigest()
