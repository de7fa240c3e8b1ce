"""A merchant's own system that delivers lines: where it is called, and for how long it is asked."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fulfillment.webhook_signatures import SigningKey
from kit.errors import Conflict, Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Fulfiller:
    """`name` is what products call it. `queue`: where people find what it did not decide within
    `deadline_seconds`.
    """

    id: UUID
    merchant_id: UUID
    name: str
    url: str
    timeout_seconds: float
    deadline_seconds: float
    queue: str = ""
    is_enabled: bool = True
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Station:
    """A fulfiller as it is called."""

    fulfiller: Fulfiller
    key: SigningKey


class FulfillerNotFound(NotFound):
    """There is no such fulfiller, or it is not yours."""

    code = "fulfiller_not_found"


class FulfillerNameTaken(Conflict):
    """A fulfiller of this name exists already; change that one, or choose another name."""

    code = "fulfiller_name_taken"


class FulfillerUrlNotAllowed(Invalid):
    """This URL must not be called: use https to a host of the public internet, see `reason`."""

    code = "fulfiller_url_not_allowed"
