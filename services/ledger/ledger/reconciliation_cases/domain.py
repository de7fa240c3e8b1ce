"""A difference between a statement and what the ledger was told of, for a person to look into."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, NotFound
from kit.money import Money


class Kind(StrEnum):
    MISSING_HERE = "missing_here"  # the statement has a payment that the ledger was not told of
    MISSING_THERE = "missing_there"  # the ledger has a payment that the statement does not list
    AMOUNT_DIFFERS = "amount_differs"
    # Money that went out: a line that no refund, fee or payout explains, and a refund not listed.
    OUTGOING_MISSING_HERE = "outgoing_missing_here"
    OUTGOING_MISSING_THERE = "outgoing_missing_there"


class CaseState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Difference:
    """A reference that the two sides do not agree about."""

    kind: Kind
    reference: str
    currency: str
    there_minor: int | None
    here_minor: int | None
    happened_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A difference that a person looks into. `reconciliation_id` is None when the daily job found
    that no statement lists the payment; `transaction_id` what closing it posted.
    """

    id: UUID
    source: str
    reconciliation_id: UUID | None
    difference: Difference
    state: CaseState
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    reason: str
    transaction_id: UUID | None


@dataclass(frozen=True, slots=True)
class PaidHere:
    """What the ledger was told of under a case's reference, in one channel and currency.

    `order_id`: one of the orders; the same one each time.
    """

    channel_id: UUID
    order_id: UUID
    money: Money


def beyond(case: Case, paid: Sequence[PaidHere], at_most: int) -> Money:
    """What a statement says beyond what the ledger was told of, where that can be rounding. Raises
    NotRounding.
    """
    told = case.difference
    if (
        told.kind is not Kind.AMOUNT_DIFFERS
        or told.there_minor is None
        or len(paid) != 1
        or paid[0].money.currency != told.currency
    ):
        raise NotRounding(at_most=at_most)
    difference = Money(told.there_minor, told.currency) - paid[0].money
    if not 0 < abs(difference.amount_minor) <= at_most:
        raise NotRounding(at_most=at_most)
    return difference


class CaseNotFound(NotFound):
    """There is no such case, or it is not yours."""

    code = "reconciliation_case_not_found"


class CaseClosed(Conflict):
    """This case was closed before; `closed_by` and `reason` say how."""

    code = "reconciliation_case_closed"


class NotRounding(Conflict):
    """Only an amount that differs by at most `at_most` minor units, between payments of one channel
    in the statement's own currency, is rounding. Close it without `as_rounding`.
    """

    code = "not_rounding"


class RoundingPosted(Conflict):
    """A difference of this order was posted as rounding before, perhaps from another statement.
    Close it without `as_rounding`.
    """

    code = "rounding_posted"
