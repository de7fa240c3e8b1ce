"""What a batch of the chain costs does not depend on how many wait behind it."""

from datetime import UTC, datetime

from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from ledger.accounts.domain import BANK, REVENUE
from ledger.proofs.repository import ChainRepository
from ledger.transactions.domain import Draft, Posting
from tests.ledger.conftest import follow
from tests.ledger.factories import MERCHANT
from tests.stack.statements import rows_fetched

WAITING, BATCH = 400, 100
READ_PER_TRANSACTION_MAX = 10


async def test_a_batch_is_found_by_its_keys_though_nobody_waited_when_statistics_were_made(
    service: Service, db: Database
) -> None:
    await _post(service)
    await follow(service)
    async with db.transaction() as tx:
        await tx.execute(text("ANALYZE unchained"))
    await _post(service)

    async with db.transaction() as tx:
        # Also what transactions before have read and not reported yet.
        earlier = await rows_fetched(tx, "unchained")
        chained = await ChainRepository().chain(tx, BATCH)
        fetched = await rows_fetched(tx, "unchained") - earlier

    assert chained is not None
    assert chained[1] == BATCH
    assert fetched <= BATCH * READ_PER_TRANSACTION_MAX


async def _post(service: Service) -> None:
    drafts = [
        Draft(
            merchant_id=MERCHANT,
            source=f"manual:{new_id()}",
            at=datetime.now(UTC),
            description="Sold",
            postings=[Posting(BANK, "CNY", 5), Posting(REVENUE, "CNY", -5)],
        )
        for _ in range(WAITING)
    ]
    async with service.db.transaction() as tx:
        await service.state["transactions"].post(tx, drafts)
