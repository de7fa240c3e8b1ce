"""How much of a product one buyer, address or device may buy within a time."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Invalid


class Per(StrEnum):
    """Whose purchases are counted together."""

    BUYER = "buyer"
    IP = "ip"
    DEVICE = "device"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `quantity` within any `window_hours`."""

    per: Per
    quantity: int
    window_hours: int


Subject = tuple[UUID, Per, str]
"""Product, whose purchases, who."""
Key = tuple[Subject, int]
"""A subject, and a window in hours."""


@dataclass(frozen=True, slots=True)
class Asked:
    """So much of a product with limits is asked for; `pointer` is where."""

    product_id: UUID
    sku: str
    limits: tuple[Limit, ...]
    quantity: int
    pointer: str


@dataclass(frozen=True, slots=True)
class Claim:
    """An order's part of one limit."""

    subject: Subject
    sku: str
    limit: Limit
    quantity: int
    pointer: str

    @property
    def key(self) -> Key:
        return self.subject, self.limit.window_hours


WHOLE_ORDER = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Use:
    """What an order takes by a claim: as it was placed, or for one line by the substitute that it
    gets instead.
    """

    merchant_id: UUID
    order_id: UUID
    claim: Claim
    line_id: UUID = WHOLE_ORDER


def claims_of(asked: Sequence[Asked], who: Mapping[Per, str | None]) -> tuple[Claim, ...]:
    """What an order claims of the limits, each product once. Raises LimitNeeds."""
    totals: dict[UUID, Asked] = {}
    for one in asked:
        known = totals.get(one.product_id)
        quantity = one.quantity + (known.quantity if known else 0)
        first = known or one
        totals[one.product_id] = Asked(one.product_id, one.sku, one.limits, quantity, first.pointer)
    return tuple(
        Claim(
            (it.product_id, limit.per, _subject(limit, who)), it.sku, limit, it.quantity, it.pointer
        )
        for it in totals.values()
        for limit in it.limits
    )


def _subject(limit: Limit, who: Mapping[Per, str | None]) -> str:
    if limit.per is Per.EVERYONE:
        return ""
    subject = who.get(limit.per)
    if subject:
        return subject
    pointer = f"/customer/{'device_id' if limit.per is Per.DEVICE else limit.per}"
    detail = "the product is limited by this, so it must be sent"
    raise LimitNeeds(errors=[{"pointer": pointer, "code": LimitNeeds.code, "detail": detail}])


Drafted = tuple[Hashable, Sequence[Claim]]
"""What makes an order unique (two with the same cannot both be placed), and its claims."""


def decide(used: Mapping[Key, int], drafts: Sequence[Drafted]) -> "dict[int, LimitReached]":
    """The drafts, by their place, that do not fit any more; one that does takes its part before
    the next is looked at.
    """
    taken = dict(used)
    seen: set[Hashable] = set()
    refused: dict[int, LimitReached] = {}
    for place, (reference, claims) in enumerate(drafts):
        if reference in seen:
            continue
        over = next((it for it in claims if not _fits(taken, it)), None)
        if over is not None:
            refused[place] = _reached(over, taken)
            continue
        seen.add(reference)
        for claim in claims:
            taken[claim.key] = taken.get(claim.key, 0) + claim.quantity
    return refused


def _fits(taken: Mapping[Key, int], claim: Claim) -> bool:
    return taken.get(claim.key, 0) + claim.quantity <= claim.limit.quantity


def _reached(claim: Claim, taken: Mapping[Key, int]) -> "LimitReached":
    limit, used = claim.limit, taken.get(claim.key, 0)
    detail = f"{claim.sku}: at most {limit.quantity} per {limit.per} in {limit.window_hours} h"
    return LimitReached(
        detail,
        sku=claim.sku,
        per=limit.per.value,
        limit=limit.quantity,
        window_hours=limit.window_hours,
        used=used,
        asked=claim.quantity,
        errors=[{"pointer": claim.pointer, "code": LimitReached.code, "detail": detail}],
    )


class LimitReached(Conflict):
    """This buyer, address or device has bought as much of the product as it may for now; `used`
    falls as purchases leave the window, and when an unpaid order of theirs ends.
    """

    code = "limit_reached"


class LimitNeeds(Invalid):
    """The product has a limit by something the order does not say; `errors` names it."""

    code = "limit_needs"
