import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from kit.money import Money


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a code, and from where."""

    kind: str
    id: str
    ip: str | None
    user_agent: str | None

    def digest(self, salt: bytes) -> str:
        """What of the viewer stands in the audit log: BLAKE2b-256 of the canonical JSON, keyed with
        the view's own salt. With salt and viewer erased it says nothing, and the log stays whole.
        """
        said = {"id": self.id, "ip": self.ip, "kind": self.kind, "user_agent": self.user_agent}
        content = json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=32, key=salt).hexdigest()


@dataclass(frozen=True, slots=True)
class Unit:
    """What may be known of a unit without opening it."""

    unit_id: UUID
    merchant_id: UUID
    pool_id: UUID
    lot_id: UUID
    seq: int
    mask: str
    state: str
    expires_at: datetime | None
    reservation_id: UUID | None
    reference: str | None
    line_no: int | None
    sold_at: datetime | None
    refusal: str | None
    shredded_at: datetime | None
    # Since when a sold unit counts for nothing any more, and why.
    revoked_at: datetime | None
    revoke_reason: str | None


@dataclass(frozen=True, slots=True)
class View:
    """An entry of the view log: one unit shown, or a whole sale handed out."""

    id: UUID
    kind: str
    viewer_kind: str
    viewer_id: str
    ip: str | None
    user_agent: str | None
    reason: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for or against a complaint about a sold unit."""

    unit_id: UUID
    pool_id: UUID
    lot_id: UUID
    lot_state: str
    supplier: str
    unit_cost: Money
    state: str
    sold_at: datetime
    revoked_at: datetime | None
    views: int
    first_viewed_at: datetime | None
    last_viewed_at: datetime | None
    # The shop got it in a box of its own: what became of it there is not known here.
    handed_out_at: datetime | None
    # Units of the lot that were ever sold.
    lot_sold: int


@dataclass(frozen=True, slots=True)
class UnitFilter:
    pool_id: UUID | None = None
    lot_id: UUID | None = None
    reservation_id: UUID | None = None
    state: str | None = None


class UnitFilterMissing(Invalid):
    """Name the pool, the lot or the reservation whose units are wanted."""

    code = "filter_missing"


class UnitNotFound(NotFound):
    """There is no such unit, or it is not yours."""

    code = "unit_not_found"


class UnitNotSold(Conflict):
    """Only sold units are shown."""

    code = "unit_not_sold"


class UnitRevoked(Conflict):
    """The unit was revoked after its sale: it was replaced or paid back, nobody may use it."""

    code = "unit_revoked"
