"""The chain over all transactions: who changes one afterwards is found, and where it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import NotFound

NO_DIGEST = bytes(32)
"""What the first batch follows."""


@dataclass(frozen=True, slots=True)
class ChainBatch:
    """Transactions that got their place together. `digest` is over `previous` and each of them;
    `transactions_total` counts all up to here.
    """

    batch_no: int
    previous: bytes
    digest: bytes
    transactions_total: int
    chained_at: datetime


class FindingKind(StrEnum):
    POSTING_CHANGED = "posting_changed"
    POSTING_MISSING = "posting_missing"
    POSTING_ADDED = "posting_added"
    TRANSACTION_CHANGED = "transaction_changed"
    TRANSACTION_MISSING = "transaction_missing"
    # It is in the books and never came into the chain, nor waits for it.
    TRANSACTION_UNCHAINED = "transaction_unchained"
    # The batch's digest is not what its transactions make, or not what the next one follows.
    BATCH_CHANGED = "batch_changed"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was posted."""

    kind: FindingKind
    batch_no: int | None
    transaction_id: UUID | None = None
    line_no: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a check of some batches found. `next_batch` None: that was all of them."""

    head: ChainBatch | None
    waiting: int
    checked_batches: int
    checked_transactions: int
    findings: tuple[Finding, ...]
    next_batch: int | None

    @property
    def is_intact(self) -> bool:
        return not self.findings


class HeadNotFound(NotFound):
    """The chain has no such batch: it is shorter than it was, or this was never its head."""

    code = "chain_head_not_found"
