from ledger.proofs.domain import ChainBatch
from lockstock.ledger.v1.chain_events_pb2 import LedgerChained


def ledger_chained(batch: ChainBatch) -> LedgerChained:
    return LedgerChained(
        batch_no=batch.batch_no,
        previous=batch.previous,
        digest=batch.digest,
        transactions_total=batch.transactions_total,
    )
