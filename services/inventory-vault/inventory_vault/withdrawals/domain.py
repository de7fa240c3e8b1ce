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
    # What was stored as not yet active is for sale from now on; there is no way back.
    ACTIVATE = "activate"

    @property
    def past(self) -> str:
        """As the audit log words it."""
        return {
            "quarantine": "quarantined",
            "restore": "restored",
            "void": "voided",
            "activate": "activated",
        }[self]


# From which states of a lot an action leads to which.
LOT_MOVES: dict[Action, tuple[tuple[str, ...], str]] = {
    Action.QUARANTINE: (("on_shelf",), "quarantined"),
    Action.RESTORE: (("quarantined",), "on_shelf"),
    Action.VOID: (("on_shelf", "quarantined", "inactive"), "void"),
    Action.ACTIVATE: (("inactive",), "on_shelf"),
}

# In lots of which states a unit on the shelf may be taken off by itself.
WITHDRAWN_FROM: dict[Action, tuple[str, ...]] = {
    Action.QUARANTINE: ("on_shelf", "quarantined"),
    Action.VOID: ("on_shelf", "quarantined", "inactive"),
}

# From which state a unit that is off the shelf comes back.
BACK_FROM: dict[Action, str] = {Action.RESTORE: "quarantined", Action.ACTIVATE: "inactive"}

SPREAD_UNITS_MAX = 100_000
"""Units of a lot that get a state each when one of them is activated: about a second."""


class NotOnShelf(Conflict):
    """Only what is on the shelf can be quarantined or voided, only the quarantined restored, only
    the inactive activated.
    """

    code = "not_on_shelf"

    def __init__(self, action: Action, id_: UUID, state: str) -> None:
        super().__init__(f"cannot {action.value} {id_}: it is {state}", state=state)


class LotTooLarge(Conflict):
    """The lot has too many units to activate single ones of it; activate it whole."""

    code = "lot_too_large"
