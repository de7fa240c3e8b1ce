from kit.periodic import Periodic
from ledger.proofs.service import ChainService

EVERY_SECONDS = 0.5


def chain_transactions(chain: ChainService) -> Periodic:
    """Transactions get their place in the chain, their days and the reports their sums."""
    return Periodic("chain-transactions", EVERY_SECONDS, chain.chain_waiting)
