"""Coupon codes: how they look, how they are kept, and what limits a coupon has.

A shared code (SPRING10) is advertised and kept in clear. A single-use code is worth money to who
finds it: only its keyed hash is kept. Single-use codes are derived from a secret of this service,
their batch and their number, so that a batch can be shown again to its owner, and a copy of the
database gives no code away.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict, Invalid, Limited, NotFound

ALPHABET = "23456789ABCDEFGHJKMNPQRTVWXYZ"
"""29 symbols that are not mistaken for one another; a prime, so the check symbol is one of them."""
RANDOM_SYMBOLS = 12
"""29^12 is 3.5 * 10^17: with a million live codes a guess hits one in 3.5 * 10^11 times."""
QUANTITY_MAX = 10_000
CODES_PER_ORDER_MAX = 5
MISSES_MAX = 20
MISS_WINDOW_SECONDS = 600

_VALUES = {symbol: value for value, symbol in enumerate(ALPHABET)}
_BETWEEN = dict.fromkeys(map(ord, " \t-_"))
_GROUP = 4


@dataclass(frozen=True, slots=True)
class Batch:
    """Single-use codes that were made together."""

    id: UUID
    merchant_id: UUID
    rule_id: UUID
    quantity: int
    prefix: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Limit:
    """What a coupon, or a promotion with a budget, may still give away."""

    rule_id: UUID
    uses: int
    spent: int
    uses_max: int | None = None
    uses_per_buyer_max: int | None = None
    budget: int | None = None

    @property
    def left(self) -> int | None:
        return None if self.budget is None else self.budget - self.spent

    @property
    def is_used_up(self) -> bool:
        return (self.uses_max is not None and self.uses >= self.uses_max) or (
            self.budget is not None and self.spent >= self.budget
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """A code that was shown and exists."""

    code_hash: bytes
    rule_id: UUID
    is_single_use: bool
    is_spent: bool


@dataclass(frozen=True, slots=True)
class Guess:
    """Codes that somebody shows; `sources` name who it is, in several ways."""

    merchant_id: UUID
    codes: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LimitUse:
    """A rule with limits that an order wants to use."""

    rule_id: UUID
    discount: int
    returns_on_refund: bool
    code_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class CouponClaim:
    """All that one order wants to use, and whose order it is."""

    order_id: UUID
    merchant_id: UUID
    customer_id: str
    contact_hash: str | None
    redemptions: tuple[LimitUse, ...]


Refusals = Mapping[UUID, str]
"""Rule id -> why it cannot be used."""


class CodeKeeper:
    """Hashes and derives codes. The key is a secret of this service, not in the database."""

    def __init__(self, secret: str) -> None:
        key = hashlib.blake2b(secret.encode(), digest_size=32, person=b"ls-coupon").digest()
        self._hash_key = hashlib.blake2b(b"hash", key=key, digest_size=32).digest()
        self._code_key = hashlib.blake2b(b"code", key=key, digest_size=32).digest()

    def hash(self, merchant_id: UUID, code: str) -> bytes:
        """Under which a code is found again, however it is written."""
        text = f"{merchant_id}|{compact(code)}"
        return hashlib.blake2b(text.encode(), key=self._hash_key, digest_size=32).digest()

    def code(self, batch: Batch, number: int) -> str:
        """The batch's code of this number, from 0."""
        about = f"{batch.id}|{number}".encode()
        digest = hashlib.blake2b(about, key=self._code_key, digest_size=64).digest()
        # 512 bits over 29^12: the remainder favours no symbol by more than 2^-450.
        value = int.from_bytes(digest)
        symbols = ""
        for _ in range(RANDOM_SYMBOLS):
            value, rest = divmod(value, len(ALPHABET))
            symbols += ALPHABET[rest]
        return shown(batch.prefix, symbols)


def shown(prefix: str, symbols: str) -> str:
    """With its check symbol, in groups: SPRING-ABCD-EFGH-JKMN-P."""
    body = symbols + check_symbol(symbols)
    groups = [body[at : at + _GROUP] for at in range(0, len(body), _GROUP)]
    return "-".join([prefix, *groups] if prefix else groups)


def check_symbol(symbols: str) -> str:
    """Catches every single wrong symbol and every swap of neighbours: the weights of two places
    and their differences are no multiples of 29.
    """
    total = sum(place * _VALUES[symbol] for place, symbol in enumerate(symbols, start=2))
    return ALPHABET[-total % len(ALPHABET)]


def compact(code: str) -> str:
    """As it is compared: capitals, nothing between the groups."""
    return code.translate(_BETWEEN).upper()


def decide(
    claims: Sequence[CouponClaim],
    limits: Mapping[UUID, Limit],
    known: Sequence[Sequence[tuple[int, bool]]],
) -> dict[UUID, Refusals]:
    """Which orders cannot have what they want, and why; one after another, as if each were alone.

    `known` says per claim and redemption how often the buyer used the rule before and whether the
    code is spent. An order has all it wants or nothing.
    """
    state = dict(limits)
    granted: list[tuple[CouponClaim, LimitUse]] = []
    refused: dict[UUID, Refusals] = {}
    for claim, facts in zip(claims, known, strict=True):
        reasons = {
            wanted.rule_id: reason
            for wanted, (uses, is_spent) in zip(claim.redemptions, facts, strict=True)
            if (reason := _why_not(claim, wanted, state, granted, uses, is_spent=is_spent))
        }
        if reasons:
            refused[claim.order_id] = reasons
            continue
        for wanted in claim.redemptions:
            limit = state[wanted.rule_id]
            state[wanted.rule_id] = replace(
                limit, uses=limit.uses + 1, spent=limit.spent + wanted.discount
            )
            granted.append((claim, wanted))
    return refused


def _why_not(
    claim: CouponClaim,
    wanted: LimitUse,
    limits: Mapping[UUID, Limit],
    granted: Sequence[tuple[CouponClaim, LimitUse]],
    uses: int,
    *,
    is_spent: bool,
) -> str:
    limit = limits.get(wanted.rule_id)
    if limit is None:
        return "not_valid"
    same_rule = [other for other in granted if other[1].rule_id == wanted.rule_id]
    if is_spent or any(_same_code(other, wanted) for _, other in same_rule):
        return "not_valid"
    if limit.uses_max is not None and limit.uses >= limit.uses_max:
        return "used_up"
    if limit.left is not None and wanted.discount > limit.left:
        return "used_up"
    if limit.uses_per_buyer_max is not None:
        uses += sum(_same_buyer(other, claim) for other, _ in same_rule)
        if uses >= limit.uses_per_buyer_max:
            return "buyer_limit"
    return ""


def _same_code(one: LimitUse, other: LimitUse) -> bool:
    """Only single-use codes are named in a redemption."""
    return one.code_hash is not None and one.code_hash == other.code_hash


def _same_buyer(one: CouponClaim, other: CouponClaim) -> bool:
    return one.merchant_id == other.merchant_id and (
        one.customer_id == other.customer_id
        or (one.contact_hash is not None and one.contact_hash == other.contact_hash)
    )


class CouponRefused(Conflict):
    """A coupon cannot be used for this order; `coupons` says of each why. Place it without."""

    code = "coupon_refused"


class CodeTaken(Conflict):
    """Another coupon of this merchant has this code."""

    code = "coupon_code_taken"


class LimitBelowUse(Conflict):
    """More than that was used or given away already."""

    code = "limit_below_use"


class NotSingleUse(Invalid):
    """This coupon has a shared code; make one without a code for single-use codes."""

    code = "coupon_has_shared_code"


class BatchNotFound(NotFound):
    """There is no such batch of codes, or it is not yours."""

    code = "coupon_batch_not_found"


class TooManyMisses(Limited):
    """Too many codes that do not exist were shown by this buyer or from this address."""

    code = "too_many_coupon_misses"
