from uuid import UUID

from prometheus_client import Gauge

from kit.db import Database, Transaction
from kit.messaging import outbox
from ledger.proofs import events
from ledger.proofs.domain import ChainBatch, Finding, HeadNotFound, Proof
from ledger.proofs.repository import ChainRepository
from ledger.rollups.service import RollupService
from ledger.transactions.service import TransactionService

BATCH_MAX = 2_000
"""Transactions that get their place together."""
BATCHES_CHECKED_MAX = 50
"""Batches that one call checks: at most 100,000 transactions."""
FINDINGS_MAX = 200
WAITING = Gauge("lockstock_ledger_unchained", "Transactions without a place in the chain yet")
ORIGIN = "ledger"


class ChainService:
    """Gives transactions their place in the chain, in the background, and checks it."""

    def __init__(
        self,
        db: Database,
        repository: ChainRepository,
        rollups: RollupService,
        transactions: TransactionService,
    ) -> None:
        self._db = db
        self._repository = repository
        self._rollups = rollups
        self._transactions = transactions

    async def chain_waiting(self) -> bool:
        """One batch, in a transaction of its own, with its sums in the roll-ups. Publishes
        LedgerChained. True while more wait.
        """
        async with self._db.transaction() as tx:
            if not await self._repository.try_lock(tx):
                return False
            chained = await self._repository.chain(tx, BATCH_MAX)
            if chained is None:
                WAITING.set(0)
                return False
            WAITING.set(await self._repository.waiting(tx, None))
            batch, transactions = chained
            # Batches of events write in the same roll-ups.
            merchants = await self._repository.merchants_of(tx, batch.batch_no)
            await self._transactions.share_books(tx, merchants)
            await self._rollups.follow(tx, batch.batch_no)
            outbox.add(tx, events.ledger_chained(batch), key=ORIGIN)
        return transactions == BATCH_MAX

    async def prove(
        self,
        tx: Transaction,
        merchant_id: UUID | None,
        *,
        from_batch: int = 1,
        batches: int = BATCHES_CHECKED_MAX,
    ) -> Proof:
        """Checks batches from `from_batch` on: every transaction and posting in them is hashed anew
        and held against the chain. Of transactions that are not the merchant's nothing is told.
        """
        head = await self._repository.head(tx)
        last, count, transactions = await self._repository.range_from(
            tx, merchant_id, from_batch, batches
        )
        findings: list[Finding] = []
        if count:
            findings = await self._repository.check(tx, merchant_id, from_batch, last, FINDINGS_MAX)
        is_end = head is None or last >= head.batch_no
        if is_end:
            findings += await self._repository.unchained(tx, merchant_id, FINDINGS_MAX)
        waiting = await self._repository.waiting(tx, merchant_id)
        return Proof(
            head,
            waiting,
            count,
            transactions,
            tuple(findings[:FINDINGS_MAX]),
            None if is_end else last + 1,
        )

    async def batch(self, tx: Transaction, batch_no: int) -> ChainBatch:
        """Whoever kept a digest compares it with this one. Raises HeadNotFound."""
        found = await self._repository.find_batch(tx, batch_no)
        if found is None:
            raise HeadNotFound(batch=batch_no)
        return found
