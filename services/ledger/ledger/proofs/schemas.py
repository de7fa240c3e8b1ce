from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from kit.http import Model
from ledger.proofs.domain import ChainBatch, Finding, FindingKind, Proof


class ChainBatchRead(Model):
    """Keep `digest` somewhere else: it holds all that was posted up to here."""

    batch_no: int
    previous: str = Field(description="digest of the batch before; hex")
    digest: str = Field(description="hex")
    chained_at: datetime

    @classmethod
    def from_domain(cls, batch: ChainBatch) -> Self:
        return cls(
            batch_no=batch.batch_no,
            previous=batch.previous.hex(),
            digest=batch.digest.hex(),
            chained_at=batch.chained_at,
        )


class FindingRead(Model):
    """Something that is not as it was posted."""

    kind: FindingKind
    batch_no: int | None
    transaction_id: UUID | None
    line_no: int | None = Field(description="of the posting, from 1")

    @classmethod
    def from_domain(cls, finding: Finding) -> Self:
        return cls(
            kind=finding.kind,
            batch_no=finding.batch_no,
            transaction_id=finding.transaction_id,
            line_no=finding.line_no,
        )


class ProofRead(Model):
    """`intact` is about what this call checked: go on with `next_batch` until it is null."""

    intact: bool
    head: ChainBatchRead | None
    waiting: int = Field(description="your transactions without a place in the chain yet")
    checked_batches: int
    checked_transactions: int = Field(description="of yours")
    findings: list[FindingRead]
    next_batch: int | None

    @classmethod
    def from_domain(cls, proof: Proof) -> Self:
        return cls(
            intact=proof.is_intact,
            head=ChainBatchRead.from_domain(proof.head) if proof.head else None,
            waiting=proof.waiting,
            checked_batches=proof.checked_batches,
            checked_transactions=proof.checked_transactions,
            findings=[FindingRead.from_domain(it) for it in proof.findings],
            next_batch=proof.next_batch,
        )
