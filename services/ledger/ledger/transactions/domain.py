"""Transactions: postings that sum to zero in each currency, written once and never changed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from kit.ids import new_id
from ledger.accounts.domain import AccountKey, AccountRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimensions:
    """What a posting is about; reports group by these.

    `buyer` is a hash that is the same for all orders of one buyer of the merchant; `buyer_group`
    the shop's groups of buyers.
    """

    channel_id: UUID | None = None
    product_id: UUID | None = None
    sku: str | None = None
    lot_id: UUID | None = None
    order_id: UUID | None = None
    line_id: UUID | None = None
    supplier: str | None = None
    buyer: str | None = None
    buyer_group: str | None = None


NO_DIMENSIONS = Dimensions()


@dataclass(frozen=True, slots=True)
class Posting:
    """`amount_minor` is signed: debits are positive, credits negative, zero does not exist.

    `quantity`: how many units the amount is for, where it is for units: sold, given or received.
    Negative in a reversal.
    """

    account: AccountRef
    currency: str
    amount_minor: int
    dimensions: Dimensions = NO_DIMENSIONS
    quantity: int | None = None

    def reversed(self) -> "Posting":
        quantity = None if self.quantity is None else -self.quantity
        return replace(self, amount_minor=-self.amount_minor, quantity=quantity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A transaction to be posted. `source` names its cause; a merchant's source is posted once."""

    merchant_id: UUID
    source: str
    at: datetime
    description: str
    postings: Sequence[Posting]
    reverses: UUID | None = None
    id: UUID = field(default_factory=new_id)

    def differences(self) -> dict[str, int]:
        """Currency -> debits less credits, where they are not equal."""
        sums: dict[str, int] = defaultdict(int)
        for posting in self.postings:
            sums[posting.currency] += posting.amount_minor
        return {currency: total for currency, total in sums.items() if total}

    def account_refs(self) -> dict[AccountKey, AccountRef]:
        """Every account this transaction touches."""
        return {self.account_key(posting): posting.account for posting in self.postings}

    def account_key(self, posting: Posting) -> AccountKey:
        return AccountKey(self.merchant_id, posting.account.code, posting.currency)


@dataclass(frozen=True, slots=True)
class PostedTransaction:
    """A transaction as it stands in the ledger. `occurred_at` is set where that was before `at`,
    in a period that was closed when it was told.
    """

    id: UUID
    merchant_id: UUID
    source: str
    at: datetime
    occurred_at: datetime | None
    description: str
    reverses: UUID | None
    reversed_by: UUID | None
    recorded_at: datetime
    postings: Sequence[Posting]

    def reversal(self, *, at: datetime, description: str) -> Draft:
        """The transaction that undoes this one, posting by posting. Raises ReversalOfReversal."""
        if self.reverses is not None:
            raise ReversalOfReversal(transaction_id=str(self.id))
        return Draft(
            merchant_id=self.merchant_id,
            source=f"reversal:{self.id}",
            at=at,
            description=description,
            postings=[posting.reversed() for posting in self.postings],
            reverses=self.id,
        )


class TransactionNotFound(NotFound):
    """There is no such transaction, or it is not yours."""

    code = "transaction_not_found"


class Unbalanced(Invalid):
    """Debits and credits differ in some currency."""

    code = "unbalanced"


class AlreadyPosted(Conflict):
    """A transaction with this reference was posted before."""

    code = "already_posted"


class AlreadyReversed(Conflict):
    """This transaction was reversed before; a reversal happens once."""

    code = "already_reversed"


class ReversalOfReversal(Conflict):
    """A reversal is not reversed; post a new transaction instead."""

    code = "reversal_of_reversal"
