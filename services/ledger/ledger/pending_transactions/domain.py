"""Pending transactions: reserve what they would move, until they are posted or voided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, NotFound
from ledger.transactions.domain import Draft, Posting


class PendingState(StrEnum):
    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class PendingTransaction:
    """`transaction_id` is the transaction it became when it was posted."""

    id: UUID
    merchant_id: UUID
    source: str
    at: datetime
    description: str
    state: PendingState
    transaction_id: UUID | None
    reason: str
    recorded_at: datetime
    resolved_at: datetime | None
    postings: Sequence[Posting]

    def posted(self, at: datetime, postings: Sequence[Posting] | None = None) -> Draft:
        """What it becomes: its own postings, or others instead."""
        return Draft(
            merchant_id=self.merchant_id,
            source=f"pending:{self.id}",
            at=at,
            description=self.description,
            postings=self.postings if postings is None else postings,
        )


class PendingNotFound(NotFound):
    """There is no such pending transaction, or it is not yours."""

    code = "pending_transaction_not_found"


class PendingResolved(Conflict):
    """It was posted or voided before; that happens once."""

    code = "pending_transaction_resolved"
