"""What a caller may move by hand."""

import pytest

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from ledger.accounts.domain import BANK, SETTLEMENT_AVAILABLE, AccountOfSettlement
from ledger.transactions.domain import Draft, Posting
from ledger.transactions.repository import TransactionRepository
from ledger.transactions.service import TransactionService
from tests.ledger.conftest import Balances
from tests.ledger.factories import MERCHANT, NOON, OTHER_MERCHANT


def a_draft() -> Draft:
    return Draft(
        merchant_id=MERCHANT,
        source=f"test:{new_id()}",
        at=NOON,
        description="x",
        postings=[Posting(SETTLEMENT_AVAILABLE, "CNY", 500), Posting(BANK, "CNY", -500)],
    )


async def test_what_a_merchant_and_the_platform_owe_each_other_is_not_moved_by_hand(
    service: Service, db: Database, balances: Balances
) -> None:
    accounts = service.state["accounts"]
    books = TransactionService(TransactionRepository(), accounts, platform_id=OTHER_MERCHANT)
    settled = a_draft()
    async with db.transaction() as tx:
        await books.post(tx, [settled])
        with pytest.raises(AccountOfSettlement):
            await books.post_by_hand(tx, a_draft())
        with pytest.raises(AccountOfSettlement):
            await books.reverse(tx, MERCHANT, settled.id, at=NOON, description="x")
    assert (await balances())["settlement:available", "CNY"] == 500


async def test_a_merchant_that_settles_with_itself_corrects_it_by_hand(
    service: Service, db: Database, balances: Balances
) -> None:
    accounts = service.state["accounts"]
    first = a_draft()
    async with db.transaction() as tx:
        await service.state["transactions"].post(tx, [first])
        for platform_id in (None, MERCHANT):
            books = TransactionService(TransactionRepository(), accounts, platform_id=platform_id)
            await books.post_by_hand(tx, a_draft())
        await books.reverse(tx, MERCHANT, first.id, at=NOON, description="x")
    assert (await balances())["settlement:available", "CNY"] == 1_000
