"""Taking stock off the shelf by hand, and putting it back. What is held or sold is not touched."""

from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict


class Action(StrEnum):
    # Frozen: not sold until it is restored.
    QUARANTINE = "quarantine"
    RESTORE = "restore"
    # For good.
    VOID = "void"

    @property
    def past(self) -> str:
        """As the audit log words it."""
        return {"quarantine": "quarantined", "restore": "restored", "void": "voided"}[self]


# From which states of a lot an action leads to which.
LOT_MOVES: dict[Action, tuple[tuple[str, ...], str]] = {
    Action.QUARANTINE: (("on_shelf",), "quarantined"),
    Action.RESTORE: (("quarantined",), "on_shelf"),
    Action.VOID: (("on_shelf", "quarantined"), "void"),
}


class NotOnShelf(Conflict):
    """Only what is on the shelf can be quarantined or voided, and only the quarantined restored."""

    code = "not_on_shelf"

    def __init__(self, action: Action, id_: UUID, state: str) -> None:
        super().__init__(f"cannot {action.value} {id_}: it is {state}", state=state)
