"""The story of an order: one entry for each decision, with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Entry:
    """`kind` is stable (snake case), `summary` is for people, `details` hold ids and figures only.

    `cause` names what made it happen: `api_key:<id>`, `event:<id>`, `timer` or `provider:<name>`.
    """

    order_id: UUID
    kind: str
    summary: str
    cause: str
    details: Mapping[str, Any]  # any JSON: every kind has its own figures


@dataclass(frozen=True, slots=True)
class ToldEntry:
    """An entry as it was written; `id` grows with time within one order."""

    id: int
    at: datetime
    kind: str
    summary: str
    cause: str
    details: Mapping[str, Any]  # any JSON, as above
