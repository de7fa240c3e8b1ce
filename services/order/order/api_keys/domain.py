"""API keys: who may do what for a merchant. Two live keys of a name allow gapless rotation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from kit.errors import Conflict, Denied, Invalid, NotFound

PLATFORM_SCOPES = frozenset(
    {
        "alarms:read",
        "alarms:write",
        "api-keys:read",
        "api-keys:write",
        "keys:rotate",
        "platform:write",
    }
)
MERCHANT_SCOPES = frozenset(
    {
        "alarms:read",
        "alarms:write",
        "api-keys:read",
        "api-keys:write",
        "audit:read",
        "catalogue:read",
        "catalogue:write",
        "channels:read",
        "channels:write",
        "deliveries:read",
        "deliveries:write",
        "keys:reveal",
        "ledger:read",
        "ledger:write",
        "orders:read",
        "orders:write",
        "payments:write",
        "prices:read",
        "prices:write",
        "redemptions:read",
        "redemptions:write",
        "refunds:write",
        "reservations:read",
        "reservations:write",
        "reviews:write",
        "risk:read",
        "risk:write",
        "steps:read",
        "steps:write",
        "stock:read",
        "stock:write",
        "suppliers:read",
        "suppliers:write",
    }
)
LIVE_KEYS_PER_NAME_MAX = 2

Mode = Literal["live", "test"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key: everything but its secret. No merchant means the platform's own."""

    id: str
    merchant_id: UUID | None
    name: str
    mode: str
    scopes: tuple[str, ...]
    secret_hash: bytes
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def check_scopes(wanted: Iterable[str], *, for_platform: bool) -> tuple[str, ...]:
    """The scopes, sorted, each once. Raises UnknownScope naming those that do not exist."""
    known = PLATFORM_SCOPES if for_platform else MERCHANT_SCOPES
    unknown = sorted(set(wanted) - known)
    if unknown:
        raise UnknownScope(f"unknown: {', '.join(unknown)}", scopes=unknown, known=sorted(known))
    return tuple(sorted(set(wanted)))


def check_handed_on(wanted: Iterable[str], own: frozenset[str]) -> None:
    """Raises ScopeNotHeld when a key would give away what it does not have."""
    missing = sorted(set(wanted) - own)
    if missing:
        raise ScopeNotHeld(f"not held: {', '.join(missing)}", scopes=missing)


class ApiKeyNotFound(NotFound):
    """There is no such API key, or it is not yours."""

    code = "api_key_not_found"


class UnknownScope(Invalid):
    """A scope does not exist."""

    code = "unknown_scope"


class ScopeNotHeld(Denied):
    """A key can hand on only the scopes it has itself."""

    code = "scope_not_held"


class NotYourMerchant(Denied):
    """Only the platform may issue keys for another merchant."""

    code = "not_your_merchant"


class TooManyLiveKeys(Conflict):
    """Two live keys of this name exist already; revoke one of them first."""

    code = "too_many_live_keys"


class ExpiryInPast(Invalid):
    """A new key must expire in the future."""

    code = "expiry_in_past"
