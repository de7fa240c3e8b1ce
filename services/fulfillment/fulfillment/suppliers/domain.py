"""A merchant's account with a supplier: by which connector it is spoken to, where, and as whom."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from fulfillment.connector import Access, Connector, Terms
from kit.errors import Conflict, Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Times:
    """What the account states otherwise than its connector declares; seconds."""

    timeout_seconds: float | None = None
    visibility_delay_seconds: float | None = None
    unknown_ttl_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Supplier:
    """`name` is what offers call it. Its secret is not in here."""

    id: UUID
    merchant_id: UUID
    name: str
    connector: str
    base_url: str
    account_id: str
    times: Times
    is_enabled: bool = True
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A supplier as it is called. While it is paused nothing new is sent to it."""

    connector: Connector
    access: Access
    terms: Terms
    is_enabled: bool = True


def account_of(supplier: Supplier, secret: str, connector: Connector) -> Account:
    """The connector's terms, with the account's own times where it states any."""
    times, terms = supplier.times, connector.terms
    terms = replace(
        terms,
        timeout=_stated(times.timeout_seconds, terms.timeout),
        visibility_delay=_stated(times.visibility_delay_seconds, terms.visibility_delay),
        unknown_ttl=_stated(times.unknown_ttl_seconds, terms.unknown_ttl),
    )
    access = Access(supplier.base_url, supplier.account_id, secret, terms.timeout)
    return Account(connector, access, terms, supplier.is_enabled)


def _stated(seconds: float | None, declared: timedelta) -> timedelta:
    return declared if seconds is None else timedelta(seconds=seconds)


class SupplierNotFound(NotFound):
    """There is no such supplier, or it is not yours."""

    code = "supplier_not_found"


class SupplierNameTaken(Conflict):
    """A supplier of this name exists already; change that one, or choose another name."""

    code = "supplier_name_taken"


class UnknownConnector(Invalid):
    """No connector of this name is switched on here; see `known` and FULFILLMENT_CONNECTORS."""

    code = "unknown_connector"


class BaseUrlMissing(Invalid):
    """This connector must be told where the supplier answers: send `base_url`."""

    code = "base_url_missing"
