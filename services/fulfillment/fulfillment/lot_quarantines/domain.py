"""When a lot has so many claims that its stock is stopped.

The rule: at least `claims_min` claims, of at least two buyers, and the lower end of the Wilson
interval of claims over units sold (one-sided, 99 %) lies above the usual share of bad units. So a
few claims of a large lot prove nothing, nor does one buyer alone, whatever he claims.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, NotFound

BUYERS_MIN = 2
Z = 2.326
"""Of the normal distribution 99 % lie below."""
BASIS = 10_000


class QuarantineState(StrEnum):
    """`due`: the vault is told; `missed`: it said a no that is for good, nothing was stopped."""

    DUE = "due"
    QUARANTINED = "quarantined"
    MISSED = "missed"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class LotFigures:
    """A lot's claims since a person last put it back, and the units sold of it."""

    merchant_id: UUID
    lot_id: UUID
    sku: str
    order_id: UUID
    claims: int
    buyers: int
    sold: int

    @property
    def rate(self) -> int:
        """Claims over units sold, in basis points."""
        return BASIS * self.claims // max(self.sold, 1)


@dataclass(frozen=True, slots=True)
class LotQuarantine:
    """Why a lot was stopped: the figures of that moment, rates in basis points."""

    lot_id: UUID
    merchant_id: UUID
    sku: str
    order_id: UUID
    state: QuarantineState
    round: int
    claims: int
    buyers: int
    sold: int
    bound: int
    norm: int
    created_at: datetime
    quarantined_at: datetime | None = None
    restored_at: datetime | None = None
    restored_by: str | None = None
    restore_reason: str = ""

    @property
    def reason(self) -> str:
        """As it stands in the vault's log."""
        return (
            f"{self.claims} of {self.sold} sold units were claimed: at least "
            f"{self.bound / 100:.2f} % where {self.norm / 100:.2f} % is usual"
        )


def lower_bound(claims: int, sold: int) -> int:
    """The lower end of the Wilson interval, in whole basis points."""
    n = max(sold, claims)
    if n <= 0 or claims <= 0:
        return 0
    share, spread = claims / n, Z * Z / n
    middle = share + spread / 2
    reach = Z * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return math.floor(BASIS * (middle - reach) / (1 + spread))


def is_out_of_line(figures: LotFigures, *, claims_min: int, norm: int) -> bool:
    """Whether the lot's stock is to be stopped."""
    return (
        figures.claims >= claims_min
        and figures.buyers >= BUYERS_MIN
        and lower_bound(figures.claims, figures.sold) > norm
    )


class LotQuarantineNotFound(NotFound):
    """No lot of yours with this id was ever stopped for its claims."""

    code = "lot_quarantine_not_found"


class LotNotQuarantined(Conflict):
    """The lot is not stopped, or not yet; read it and try again."""

    code = "lot_not_quarantined"


class LotBeingRestored(Conflict):
    """Somebody is putting the lot back just now; read it in a minute, and call again if it is still
    stopped.
    """

    code = "lot_being_restored"
