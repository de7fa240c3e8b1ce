"""Taking a sold unit out of use for good: it was replaced, or its money goes back.

Its sale stays in the books and in the log: units are counted as sold once they are. A revoked unit
is shown to nobody and redeemed by nobody.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict


@dataclass(frozen=True, slots=True)
class Revocation:
    """The first one counts; a repeat changes nothing."""

    unit_id: UUID
    merchant_id: UUID
    lot_id: UUID
    reason: str
    requested_by: str
    revoked_at: datetime


class UnitRedeemed(Conflict):
    """Something of the unit was redeemed: roll that back first, or decide without revoking it."""

    code = "unit_redeemed"
