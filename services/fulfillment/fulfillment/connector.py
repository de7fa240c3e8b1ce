"""What a supplier's connector promises. One folder each under `fulfillment/connectors`, found by
name; its `connector.py` exports `create`.

A purchase is known by our reference and by nothing else. What a connector cannot say for certain it
calls Unknown: then the same reference is asked for, and no other is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from kit.money import Money


@dataclass(frozen=True, slots=True)
class Terms:
    """How a supplier behaves. An account may state its own times.

    `idempotent_by_ref`: the same reference again is the same purchase. `query_by_ref`: a reference
    can be asked for. `definite_failures`: the codes after which nothing was bought and nothing ever
    will be; every other answer is unknown. `visibility_delay`: how long after a call "no such
    reference" proves nothing yet. `unknown_ttl`: how long an outcome is asked for before a person
    must look.
    """

    idempotent_by_ref: bool
    query_by_ref: bool
    definite_failures: frozenset[str]
    timeout: timedelta
    visibility_delay: timedelta
    unknown_ttl: timedelta


@dataclass(frozen=True, slots=True)
class Access:
    """A merchant's account with a supplier, as a call needs it.

    `options`: what the connector's `check` has passed. `callback_secret`: signs the supplier's
    calls to us, where `secret` does not. `callback_url`: where it may call us.
    """

    base_url: str
    account_id: str
    secret: str = field(repr=False)
    timeout: timedelta
    options: Mapping[str, Any] = field(default_factory=dict)
    callback_secret: str = field(default="", repr=False)
    callback_url: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`quantity` of `sku` for `cost_max` in all: for `account` (a phone number: personal), or as
    codes where that is empty. `is_repeat`: an earlier sending may have worked, so a refusal of this
    one says nothing about that one.
    """

    reference: UUID
    sku: str
    account: str = field(repr=False)
    quantity: int
    cost_max: Money
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """A bought unit in clear, fields named as the vault names them (`code`; `number`, `password`;
    `url`). Kept in local variables only: it is sealed before anything is written.
    """

    fields: Mapping[str, str] = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Bought. `receipt` is a line for the buyer; `codes` are what was bought, unless it went to an
    account. `is_for_one`: `cost` is what one of as many as were wanted cost, else of all.
    """

    cost: Money
    supplier_reference: str
    receipt: str = ""
    codes: tuple[Code, ...] = field(default=(), repr=False)
    is_for_one: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The supplier said no. Definite only if its terms list the code."""

    code: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Sent, and nobody can tell what became of it: a stable code of why."""

    reason: str


NOT_OFFERED = "not_offered"
"""Why there is no list or balance, where the supplier of this account tells none."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The supplier was asked for nothing: the same reference may be sent again. `is_final`: it
    would come to the same end, so it is a no, unless an earlier sending may have worked."""

    reason: str
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class NotFound:
    """The supplier knows no such reference. Definite only after the visibility delay."""


Answer = Done | Failed | Unknown | NotSent
Report = Answer | NotFound


class Connector(Protocol):
    """Raises nothing for what a supplier does: it is worded as an answer. Never sends twice by
    itself."""

    name: str
    terms: Terms
    needs_base_url: bool

    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        """Buys under `wanted.reference`, never dearer than `wanted.cost_max`: the supplier is told
        the limit, or asked for its price before."""
        ...

    async def query(self, access: Access, reference: UUID) -> Report:
        """What became of a reference. Changes nothing at the supplier."""
        ...


@dataclass(frozen=True, slots=True)
class Article:
    """What a supplier sells, by its own name; `stock` is None when it does not tell."""

    sku: str
    name: str
    cost: Money
    stock: int | None


@dataclass(frozen=True, slots=True)
class ArticlePage:
    articles: tuple[Article, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Pushed:
    """A callback as it came: nothing of it is believed yet."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What a genuine callback says of one of our references, and the answer it waits for. It is a
    hint: what it says is asked for before anything is done about it."""

    reference: UUID
    report: Report
    reply: bytes
    reply_type: str = "text/plain"
    is_success: bool = False
    supplier_reference: str = ""


class BadOptions(Exception):
    """The account's options do not fit the connector: says which and why."""


class Forged(Exception):
    """The callback is not signed by the account's secret, too old, or not to be read."""


@runtime_checkable
class TellsBalance(Protocol):
    """A connector that can say what the account has left; Unknown(NOT_OFFERED) where this account
    cannot be asked."""

    async def balance(self, access: Access) -> Money | Unknown | NotSent: ...


@runtime_checkable
class ListsArticles(Protocol):
    """A connector that can say what is for sale, at what price, and how much of it is there;
    Unknown(NOT_OFFERED) where this account cannot be asked."""

    async def articles(
        self, access: Access, cursor: str | None
    ) -> ArticlePage | Unknown | NotSent: ...


@runtime_checkable
class HearsCallbacks(Protocol):
    """A connector whose supplier calls back."""

    def hear(self, access: Access, pushed: Pushed) -> Told:
        """Raises Forged. Believes nothing but what the account's secret signs."""
        ...


@runtime_checkable
class TakesOptions(Protocol):
    """A connector that must be told more of an account than address, name and secret."""

    def check(self, options: Mapping[str, Any]) -> None:
        """Raises BadOptions. Nothing in them is secret: operators read them back."""
        ...

    def terms_for(self, options: Mapping[str, Any]) -> Terms:
        """How a supplier with these options behaves, where that differs from account to account."""
        ...
