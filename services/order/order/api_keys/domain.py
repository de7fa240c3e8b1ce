"""API keys: who may do what for a merchant. Two live keys of a name allow gapless rotation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from kit.addresses import Network, covers, read_network
from kit.errors import Conflict, Denied, Invalid, NotFound

PLATFORM_SCOPES = frozenset(
    {
        "alarms:read",
        "alarms:write",
        "api-keys:read",
        "api-keys:write",
        "keys:rotate",
        "ledger:read",
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
        "claims:read",
        "claims:write",
        "contacts:read",
        "deliveries:read",
        "deliveries:write",
        "keys:reveal",
        "ledger:read",
        "ledger:write",
        "messages:read",
        "messages:write",
        "orders:read",
        "orders:write",
        "payments:write",
        "prices:override",
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
        "templates:read",
        "templates:write",
        "webhooks:read",
        "webhooks:write",
    }
)
LIVE_KEYS_PER_NAME_MAX = 2
EXPIRY_WARNING = timedelta(days=14)

Mode = Literal["live", "test"]
KeyWarning = Literal["expired", "expires_soon"]


@dataclass(frozen=True, slots=True)
class Role:
    """What one kind of operator needs: a name for a bundle of scopes."""

    name: str
    description: str
    scopes: frozenset[str]


def _reads(*nouns: str) -> frozenset[str]:
    return frozenset(f"{noun}:read" for noun in nouns)


def _both(*nouns: str) -> frozenset[str]:
    return _reads(*nouns) | {f"{noun}:write" for noun in nouns}


_ROLES = (
    Role("owner", "Everything a merchant may do.", MERCHANT_SCOPES),
    Role(
        "manager",
        "Runs the business; hands out no keys and sees no code.",
        MERCHANT_SCOPES - {"api-keys:write", "keys:reveal", "ledger:write", "risk:write"},
    ),
    Role(
        "catalogue",
        "Products, prices and channels.",
        _both("catalogue", "prices", "channels", "templates") | _reads("stock"),
    ),
    Role(
        "stock",
        "Stock, suppliers and alarms.",
        _both("stock", "suppliers", "alarms") | _reads("catalogue", "reservations"),
    ),
    Role(
        "support",
        "Orders, deliveries, reviews and refunds of buyers who ask for help.",
        _both("orders", "deliveries", "steps", "claims", "messages")
        | _reads("catalogue", "stock", "redemptions", "risk", "templates")
        | {"refunds:write", "reviews:write"},
    ),
    Role(
        "finance",
        "The books, refunds and what they rest on.",
        _both("ledger") | _reads("orders", "prices", "channels", "audit") | {"refunds:write"},
    ),
    Role(
        "auditor",
        "Reads everything, changes nothing.",
        frozenset(scope for scope in MERCHANT_SCOPES if scope.endswith(":read")),
    ),
    Role(
        "developer",
        "What a shop's own software needs.",
        _both("orders", "reservations", "redemptions", "claims", "webhooks")
        | _reads("catalogue", "prices", "channels", "stock", "deliveries")
        | {"payments:write"},
    ),
)
ROLES: Mapping[str, Role] = {role.name: role for role in _ROLES}


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
    role: str | None = None
    # Networks it may be used from; empty: anywhere.
    allowed_ips: tuple[str, ...] = ()
    suspended_at: datetime | None = None
    # As far as this service saw, to the minute.
    last_used_at: datetime | None = None
    # The first key of its name: this one is its successor. None: there was none.
    family: str | None = None

    def warning(self, now: datetime) -> KeyWarning | None:
        """What its owner should know; nothing of a key that is revoked anyway."""
        if self.revoked_at is not None or self.expires_at is None:
            return None
        if self.expires_at <= now:
            return "expired"
        return "expires_soon" if self.expires_at - now <= EXPIRY_WARNING else None


def scopes_of(role: str | None, scopes: Sequence[str] | None) -> tuple[str, ...]:
    """What a role or a list stands for. Raises RoleOrScopes unless there is exactly one of them,
    UnknownRole.
    """
    if (role is None) == (scopes is None):
        raise RoleOrScopes
    if role is None:
        return tuple(scopes or ())
    if role not in ROLES:
        raise UnknownRole(f"unknown: {role}", known=sorted(ROLES))
    return tuple(sorted(ROLES[role].scopes))


def check_networks(allowed_ips: Iterable[str]) -> tuple[str, ...]:
    """The networks in their usual form, each once. Raises BadNetwork."""
    found: dict[str, None] = {}
    for place, text in enumerate(allowed_ips):
        try:
            found[str(read_network(text))] = None
        except ValueError as error:
            where = {"pointer": f"/allowed_ips/{place}", "code": BadNetwork.code, "detail": text}
            raise BadNetwork(errors=[where]) from error
    return tuple(found)


def check_networks_handed_on(allowed_ips: Sequence[str], own: Sequence[Network]) -> None:
    """Raises NetworkNotHeld when a key that is bound to networks would hand on a freer one."""
    if not own:
        return
    freer = [text for text in allowed_ips if not covers(own, read_network(text))]
    if freer or not allowed_ips:
        raise NetworkNotHeld(allowed_ips=freer)


def check_outlives_none(expires_at: datetime | None, own: datetime | None) -> None:
    """Raises ExpiryNotHeld when a key that expires would hand on one that outlives it."""
    if own is not None and (expires_at is None or expires_at > own):
        raise ExpiryNotHeld(expires_at=own.isoformat())


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


class RoleOrScopes(Invalid):
    """A key has either a `role` or `scopes`; give exactly one of them."""

    code = "role_or_scopes"


class UnknownRole(Invalid):
    """There is no such role; `GET /v1/roles` lists them."""

    code = "unknown_role"


class BadNetwork(Invalid):
    """Write networks as `203.0.113.0/24` or `2001:db8::/32`, with no host bits set."""

    code = "bad_network"


class NetworkNotHeld(Denied):
    """A key bound to networks hands on and edits only keys bound to the same networks or parts of
    them; give `allowed_ips` within its own.
    """

    code = "network_not_held"


class ExpiryNotHeld(Denied):
    """A key that expires hands on and edits only keys that expire no later; give `expires_at` up
    to its own.
    """

    code = "expiry_not_held"


class ApiKeyRevoked(Conflict):
    """A revoked key is never changed again; issue another one."""

    code = "api_key_revoked"


class NotYourMerchant(Denied):
    """Only the platform may issue keys for another merchant."""

    code = "not_your_merchant"


class TooManyLiveKeys(Conflict):
    """Two live keys of this name exist already; revoke one of them first."""

    code = "too_many_live_keys"


class ExpiryInPast(Invalid):
    """A new key must expire in the future."""

    code = "expiry_in_past"
