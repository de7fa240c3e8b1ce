"""What a supplier's connector promises. One folder each under `fulfillment/connectors`, found by
name; its `connector.py` exports `create`.

A purchase is known by our reference and by nothing else. What a connector cannot say for certain it
calls Unknown: then the same reference is asked for, and no other is sent.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
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
    """A merchant's account with a supplier, as a call needs it."""

    base_url: str
    account_id: str
    secret: str = field(repr=False)
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class Wanted:
    """`quantity` of `sku` for `account` (a phone number: personal), for `cost_max` in all."""

    reference: UUID
    sku: str
    account: str = field(repr=False)
    quantity: int
    cost_max: Money


@dataclass(frozen=True, slots=True)
class Done:
    """Bought. `receipt` is a line for the buyer."""

    cost: Money
    supplier_reference: str
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The supplier said no. Definite only if its terms list the code."""

    code: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Sent, and nobody can tell what became of it: a stable code of why."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Not a byte reached the supplier: the same reference may be sent again."""

    reason: str


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
