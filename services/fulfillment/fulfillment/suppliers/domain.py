"""A merchant's account with a supplier: by which connector it is spoken to, where, and as whom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fulfillment.connector import Access, Connector, TakesOptions, Terms
from kit.errors import Conflict, Invalid, NotFound

_HOST = re.compile(r"[a-z]+://[^/?#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Times:
    """What the account states otherwise than its connector declares; seconds."""

    timeout_seconds: float | None = None
    visibility_delay_seconds: float | None = None
    unknown_ttl_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Supplier:
    """`name` is what offers call it. Its secrets are not in here. `options` are the connector's
    own matter. `former_callback_until`: so long callbacks signed with the secret before are
    believed too.
    """

    id: UUID
    merchant_id: UUID
    name: str
    connector: str
    base_url: str
    account_id: str
    times: Times
    is_enabled: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    has_callback_secret: bool = False
    former_callback_until: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Secrets:
    """`callback` signs what the supplier calls us with, where `calls` does not. None: as it was.
    `former` signed that before, and is still believed.
    """

    calls: str | None = field(repr=False)
    callback: str | None = field(default=None, repr=False)
    former: str | None = field(default=None, repr=False)

    @property
    def heard_by(self) -> str | None:
        """What a callback must be signed with."""
        return self.callback or self.calls

    def changed_to(self, new: "Secrets") -> "Secrets":
        """As they are with those that are new. `former` is the one that counts no longer by it;
        None: a callback is signed as before.
        """
        now = Secrets(new.calls or self.calls, new.callback or self.callback)
        return now if now.heard_by == self.heard_by else replace(now, former=self.heard_by)


@dataclass(frozen=True, slots=True)
class Account:
    """A supplier as it is called. While it is paused nothing new is sent to it. `former` hears
    callbacks that are signed with the secret before, while that is believed.
    """

    connector: Connector
    access: Access
    terms: Terms
    is_enabled: bool = True
    former: Access | None = None

    @property
    def hearing(self) -> tuple[Access, ...]:
        """What a callback may be signed for, the present first."""
        return (self.access,) if self.former is None else (self.access, self.former)


def account_of(
    supplier: Supplier, secrets: Secrets, connector: Connector, callback_url: str
) -> Account:
    """The connector's terms, with the account's own times where it states any."""
    times, terms = supplier.times, connector.terms
    if isinstance(connector, TakesOptions):
        terms = connector.terms_for(supplier.options)
    terms = replace(
        terms,
        timeout=_stated(times.timeout_seconds, terms.timeout),
        visibility_delay=_stated(times.visibility_delay_seconds, terms.visibility_delay),
        unknown_ttl=_stated(times.unknown_ttl_seconds, terms.unknown_ttl),
    )
    access = Access(
        supplier.base_url,
        supplier.account_id,
        secrets.calls or "",
        terms.timeout,
        options=supplier.options,
        callback_secret=secrets.callback or "",
        callback_url=callback_url,
    )
    former = replace(access, callback_secret=secrets.former) if secrets.former else None
    return Account(connector, access, terms, supplier.is_enabled, former)


def hosts_of(supplier: Supplier) -> frozenset[str]:
    """Where an account's secret may go: the hosts of its address and of those its options name."""
    named = [supplier.base_url, *supplier.options.values()]
    found = [_HOST.match(text) for text in named if isinstance(text, str)]
    return frozenset(host[0].lower() for host in found if host)


def is_elsewhere(before: Supplier, after: Supplier) -> bool:
    """Whether what was bought before may be unknown where the account is now. A description of the
    same host is corrected at any time: a wrong one is why nobody understands the answers."""
    same = (before.base_url, before.account_id) == (after.base_url, after.account_id)
    return not same or hosts_of(before) != hosts_of(after)


def _stated(seconds: float | None, declared: timedelta) -> timedelta:
    return declared if seconds is None else timedelta(seconds=seconds)


class SupplierNotFound(NotFound):
    """There is no such supplier, or it is not yours."""

    code = "supplier_not_found"


class SupplierNameTaken(Conflict):
    """A supplier of this name exists already; change that one, or choose another name."""

    code = "supplier_name_taken"


class SupplierHasOpenPurchases(Conflict):
    """Purchases there are not settled, and another account or address would know nothing of them:
    they would be bought again. Pause the account and wait until they are, or decide on those in the
    queue `undecided-purchases`; or set up another account under another name."""

    code = "supplier_has_open_purchases"


class SupplierSecretNeeded(Invalid):
    """A secret that is kept goes to no other host than those it was given for: send `secret` again
    with the new address."""

    code = "supplier_secret_needed"


class UnknownConnector(Invalid):
    """No connector of this name is switched on here; see `known` and FULFILLMENT_CONNECTORS."""

    code = "unknown_connector"


class BaseUrlMissing(Invalid):
    """This connector must be told where the supplier answers: send `base_url`."""

    code = "base_url_missing"


class OptionsNotFitting(Invalid):
    """This connector cannot work with these `options`; `detail` says which part and why."""

    code = "supplier_options_not_fitting"
