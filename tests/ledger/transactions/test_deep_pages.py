"""A page far down a list reads its own rows, not all those before it."""

from datetime import UTC, datetime

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from ledger.accounts.domain import BANK, REVENUE
from ledger.transactions.domain import Draft, Posting
from ledger.transactions.repository import TransactionRepository
from tests.ledger.factories import MERCHANT
from tests.stack.statements import rows_fetched

TRANSACTIONS, PAGE = 600, 20
READ_MAX = 2 * PAGE


async def test_a_page_far_down_reads_no_transaction_that_was_shown_before(
    service: Service, db: Database
) -> None:
    drafts = [
        Draft(
            merchant_id=MERCHANT,
            source=f"manual:{new_id()}",
            at=datetime.now(UTC),
            description="Sold",
            postings=[Posting(BANK, "CNY", 5), Posting(REVENUE, "CNY", -5)],
        )
        for _ in range(TRANSACTIONS)
    ]
    async with db.transaction() as tx:
        await service.state["transactions"].post(tx, drafts)
    ids = sorted((draft.id for draft in drafts), reverse=True)
    shown = ids[-PAGE - 1]

    async with db.transaction() as tx:
        # Also what transactions before have read and not reported yet.
        earlier = await rows_fetched(tx, "transaction")
        found = await TransactionRepository().list_transactions(
            tx, MERCHANT, order_id=None, before=shown, limit=PAGE
        )
        fetched = await rows_fetched(tx, "transaction") - earlier

    assert [it.id for it in found] == ids[-PAGE:]
    assert fetched <= READ_MAX
