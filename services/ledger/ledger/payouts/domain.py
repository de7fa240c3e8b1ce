"""Money that leaves for a merchant: proposed by one, approved by another, sent, arrived or not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Denied, NotFound
from ledger.posting_rules.domain import PostingRule
from ledger.posting_rules.kinds.settlement.domain import (
    MoneyMove,
    payout_approved,
    payout_failed,
    payout_paid,
    payout_returned,
)
from ledger.transactions.domain import Draft


class PayoutState(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    SENT = "sent"
    PAID = "paid"
    REJECTED = "rejected"
    FAILED = "failed"
    RETURNED = "returned"


_NEXT: Mapping[PayoutState, frozenset[PayoutState]] = {
    PayoutState.PROPOSED: frozenset({PayoutState.APPROVED, PayoutState.REJECTED}),
    PayoutState.APPROVED: frozenset({PayoutState.SENT, PayoutState.PAID, PayoutState.FAILED}),
    PayoutState.SENT: frozenset({PayoutState.PAID, PayoutState.FAILED}),
    PayoutState.PAID: frozenset({PayoutState.RETURNED}),
    PayoutState.REJECTED: frozenset(),
    PayoutState.FAILED: frozenset(),
    PayoutState.RETURNED: frozenset(),
}
# What arriving in a state posts; the others post nothing.
_RULES: Mapping[PayoutState, PostingRule[[MoneyMove]]] = {
    PayoutState.APPROVED: payout_approved,
    PayoutState.PAID: payout_paid,
    PayoutState.FAILED: payout_failed,
    PayoutState.RETURNED: payout_returned,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """Who a merchant's payouts and statements are made out to."""

    merchant_id: UUID
    name: str
    account: str
    bank: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """`created_by` and `approved_by` are never the same."""

    id: UUID
    merchant_id: UUID
    currency: str
    amount_minor: int
    state: PayoutState
    created_by: str
    created_at: datetime
    settlement_id: UUID | None = None
    payee_name: str = ""
    payee_account: str = ""
    payee_bank: str = ""
    approved_by: str | None = None
    reason: str | None = None
    changed_at: datetime

    def made_out_to(self, payee: Payee | None) -> "Payout":
        """Once it is made out to somebody it stays so: what was proposed is what is approved."""
        if payee is None or self.payee_account:
            return self
        return replace(
            self, payee_name=payee.name, payee_account=payee.account, payee_bank=payee.bank
        )

    def moved(self, state: PayoutState, by: str, reason: str | None) -> "Payout":
        """Raises SamePerson, PayoutClosed naming the state it is in."""
        if state not in _NEXT[self.state]:
            raise PayoutClosed(
                f"a payout that is {self.state} does not become {state}", state=self.state.value
            )
        if state is PayoutState.APPROVED:
            if by == self.created_by:
                raise SamePerson
            return replace(self, state=state, approved_by=by)
        return replace(self, state=state, reason=reason or self.reason)

    def posted(self, at: datetime) -> Draft | None:
        """What having arrived in this state posts."""
        rule = _RULES.get(self.state)
        if rule is None:
            return None
        return rule(
            MoneyMove(
                cause=str(self.id),
                merchant_id=self.merchant_id,
                currency=self.currency,
                amount_minor=self.amount_minor,
                at=at,
            )
        )


class PayoutNotFound(NotFound):
    """There is no such payout, or it is not yours."""

    code = "payout_not_found"


class PayeeNotFound(NotFound):
    """Nobody has said yet who is paid; set the merchant's payee first."""

    code = "payee_not_found"


class PayoutClosed(Conflict):
    """The payout is in a state from which it does not go there; read it again."""

    code = "payout_closed"


class PayoutExceedsAvailable(Conflict):
    """More than what is available for the merchant; propose less, or wait for more sales."""

    code = "payout_exceeds_available"


class SamePerson(Denied):
    """Who made a payout does not approve it: let somebody with another key look at it."""

    code = "same_person"
