"""Changes of what decides about orders: who made them, when, and what was so before.

What a rule says is in its versions, each with its author; here is what leaves no trace elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class ChangeKind(StrEnum):
    RULE_ENABLED = "rule_enabled"
    RULE_DISABLED = "rule_disabled"
    ENTRY_REPLACED = "entry_replaced"
    """An entry of a list got another reason or end."""
    ENTRY_REMOVED = "entry_removed"
    REVIEW_POLICY_CHANGED = "review_policy_changed"


@dataclass(frozen=True, slots=True)
class Change:
    id: UUID
    at: datetime
    author: str
    kind: ChangeKind
    about: UUID
    """The rule or entry; the merchant, of its policy."""
    was: Mapping[str, object] | None
    """What is overwritten or gone, as it was; None where the kind says it, and of a first one."""
